"""Files that the real git-secret hides: ours come out as its own `reveal -f` gives them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError, DecryptError, ManifestError
from flux_secret.generate.gitsecret import unhide
from flux_secret.generate.interface import Opener
from flux_secret.model.target import GitSecret
from flux_secret.outside.files import place_inside, scratch
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.layouts import Layouts
from flux_secret.outside.sops import Sops
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Workshops
from flux_secret.store.crypto.openpgp import OpenPgp
from simulators.gnupg import Home, home
from simulators.repositories import Repository

CLEAR: Mapping[str, bytes] = {
    "demo/secret.yaml": b"apiVersion: v1\nkind: Secret\nmetadata: {name: demo}\n",
    "demo/binary.p12": bytes(range(256)) * 40,
    "with blank.env": b"PASSWORD=correct horse",
    "large.txt": b"line\n" * 40_000,
}
COMMON = {"LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


@dataclass(frozen=True)
class Hiding:
    """A repository that hides files from everybody but the operator."""

    ops: Repository
    home: Home
    env: Mapping[str, str]

    def git_secret(self, *arguments: str) -> None:
        done = subprocess.run(
            ["git-secret", *arguments], cwd=self.ops.path, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "GNUPGHOME": str(self.home.path), **COMMON,
                 **self.env},
            capture_output=True, timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def hide(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            (self.ops.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.ops.path / name).write_bytes(content)
        self.git_secret("add", *files)
        self.git_secret("hide", "-d")
        self.ops.git("add", "--all", ".")  # what is hidden is ignored by git
        self.ops.git("commit", "--quiet", "--message", "hide")


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    if shutil.which("git-secret") is None:
        pytest.skip("git-secret is not installed, so there is nothing to compare with")
    with home() as made:
        for name in ("operator", "stranger"):
            made.curve25519(f"{name}@example.org")
        yield made


@pytest.fixture(params=["plain", "armored", "renamed"])
def hiding(request: pytest.FixtureRequest, gnupg: Home) -> Iterator[Hiding]:
    env = {
        "plain": {},
        "armored": {"SECRETS_GPG_ARMOR": "1"},
        "renamed": {"SECRETS_DIR": ".hidden", "SECRETS_EXTENSION": ".gpg"},
    }[request.param]
    # git-secret has a GnuPG home in the repository, and a socket's name has 107 bytes at most
    with scratch("ops") as place:
        made = Hiding(Repository.create(place / "ops", {"README": "x"}), gnupg, env)
        made.git_secret("init")
        made.git_secret("tell", "operator@example.org")
        yield made


@asynccontextmanager
async def checkout(hiding: Hiding) -> AsyncIterator[Path]:
    layouts = Layouts(os.environ["PATH"])
    async with layouts.lay_out(hiding.ops.path / ".git", hiding.ops.head) as root:
        yield root


@asynccontextmanager
async def opener(hiding: Hiding, name: str = "operator") -> AsyncIterator[Opener]:
    key = hiding.home.private_key(f"{name}@example.org")
    gpg = Gpg.private([key], b"", path=os.environ["PATH"])
    confined = Workshops("", ConfigurationError("never asked"), Supervisors())
    sops = Sops(confined, gpg.lent, None)
    try:
        yield Opener(sops.decrypt, OpenPgp([key], None, gpg).decrypt, place_inside)
    finally:
        await gpg.close()


def names(hiding: Hiding) -> GitSecret:
    usual = GitSecret()
    return GitSecret(
        hiding.env.get("SECRETS_DIR", usual.folder),
        hiding.env.get("SECRETS_EXTENSION", usual.ending),
    )


async def test_what_is_revealed_is_what_git_secret_reveals(hiding: Hiding) -> None:
    hiding.hide(CLEAR)
    assert not (hiding.ops.path / "demo/secret.yaml").exists()
    async with checkout(hiding) as root, opener(hiding) as opens:
        assert not (root / "demo/secret.yaml").exists()
        done = await unhide(root, names(hiding), opens)
        ours = {name: (root / name).read_bytes() for name in CLEAR}
    hiding.git_secret("reveal", "-f")
    assert ours == {name: (hiding.ops.path / name).read_bytes() for name in CLEAR} == CLEAR
    assert done.size == sum(map(len, CLEAR.values()))


async def test_a_file_in_the_clear_gives_way_to_the_hidden_one(hiding: Hiding) -> None:
    hiding.hide({"a": b"hidden\n"})
    hiding.ops.commit({"a": b"by mistake\n"})
    async with checkout(hiding) as root, opener(hiding) as opens:
        assert (root / "a").read_bytes() == b"by mistake\n"
        await unhide(root, names(hiding), opens)
        assert (root / "a").read_bytes() == b"hidden\n"


async def test_somebody_who_was_not_told_reveals_nothing(hiding: Hiding) -> None:
    hiding.hide({"a": b"hidden\n"})
    async with checkout(hiding) as root, opener(hiding, "stranger") as opens:
        with pytest.raises(DecryptError, match=r"git-secret hides a, .* no private key") as caught:
            await unhide(root, names(hiding), opens)
        assert not (root / "a").exists()
    assert "git secret tell" in caught.value.remedy


async def test_a_damaged_file_is_never_a_wrong_value(hiding: Hiding) -> None:
    hiding.hide({"a": b"hidden\n" * 20})
    name = f"a{names(hiding).ending}"
    data = bytearray((hiding.ops.path / name).read_bytes())
    data[len(data) * 3 // 4] ^= 0x01
    hiding.ops.commit({name: bytes(data)})
    async with checkout(hiding) as root, opener(hiding) as opens:
        with pytest.raises(DecryptError, match="git-secret hides a, which cannot be revealed"):
            await unhide(root, names(hiding), opens)
        assert not (root / "a").exists()
    hiding.ops.remove(name)
    async with checkout(hiding) as root, opener(hiding) as opens:
        with pytest.raises(ManifestError, match=r"hides a, .* is a link to nothing"):
            await unhide(root, names(hiding), opens)


async def test_revealed_files_lie_in_memory_and_are_gone_with_the_checkout(hiding: Hiding) -> None:
    hiding.hide({"a": b"hidden\n"})
    async with checkout(hiding) as root, opener(hiding) as opens:
        await unhide(root, names(hiding), opens)
        place = root
    assert not place.exists()
    with scratch("test") as memory:
        assert place.parent.parent == memory.parent
