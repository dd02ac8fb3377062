"""What we answer equals what the real gopass 1.16 prints, byte for byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.generate.answering import GopassAnswers
from flux_secret.model.delivery import Read
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source, Target
from flux_secret.outside.git import GitAccess, LastGood, Mirror
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.objects import Commit
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.crypto.openpgp import OpenPgp
from flux_secret.store.interface import Decryptors
from flux_secret.store.reader import PinnedStores
from flux_secret.store.stores import Mirrors, Stores
from simulators.gnupg import Home, home
from simulators.repositories import Repository

ENTRIES: dict[str, bytes] = {
    "plain": b"secret\n",
    "no-newline": b"secret",
    "crlf": b"secret\r\nuser: demo\r\nbody\r\n",
    "spaces": b"  secret  \n user : demo \n",
    "keys": b"pw\nuser: a\nuser: b\nurl: https://x: y\nk:v\n: empty\nbody line\n",
    "colon-key": b"pw\na:b: c\n",
    "binary-bytes": b"\xff\x00\xfe\x80\n",
    "empty-password": b"\nuser: demo\n",
    "only-blank": b" \n",
    "unicode": "pässwörd\nbenutzer: jürg\n".encode(),
    "long": b"x" * 70_000 + b"\nuser: demo\n",
    "many-newlines": b"pw\n\n\nbody\n\n",
    "yaml": b"pw\n---\nuser: demo\nport: 0123\nlist: [1, two, true]\nmap: {b: 1, a: x}\nyes: no\n",
    "yaml-types": b"pw\n---\nnone: ~\nday: 2001-01-23\nhex: 0x1f\nf: 1.5\nq: 'true'\nbig: 12_000\n",
    "yaml-body": b"pw\nbody\nmore\n---\na: b\n",
    "yaml-only": b"---\na: yes\n",
    "yaml-empty": b"pw\n---\n",
    "yaml-broken": b"pw\n---\na: 1\na: 2\n",
    "yaml-scalar": b"pw\n---\nnot a mapping\n",
    "yaml-multi-line": b"pw\n---\ntext: |\n    one\n    two\nz: 1\n",
    "dashes": b"pw\n-----BEGIN X-----\nabc\n-----END X-----\n",
    "mime": b"GOPASS-SECRET-1.0\nPassword: pw\nUser: me\nUrl: x\n\nbody\n",
    "attachment": b'\nContent-Disposition: attachment; filename="x"\n'
    b"Content-Transfer-Encoding: Base64\nAP8KdGVzdA==\n",
    "folder/inner": b"inner\n",
    "folder/other": b"other\n",
}
CALLS: list[tuple[str, ...]] = [
    *((name,) for name in ENTRIES),
    *(("show", name) for name in ("plain", "keys", "yaml")),
    *(("show", "-o", name) for name in ENTRIES),
    *(("show", "-n", name) for name in ("plain", "keys", "crlf", "no-newline", "binary-bytes")),
    *(("cat", name) for name in ENTRIES),
    *(("show", name, "user") for name in ("keys", "crlf", "yaml", "plain", "spaces", "mime")),
    *(("keys", key) for key in ("url", "k", "none")),
    *(("yaml", key) for key in ("port", "list", "map", "yes")),
    *(("yaml-types", key) for key in ("none", "day", "hex", "f", "q", "big")),
    ("yaml-multi-line", "text"),
    ("colon-key", "a:b"),
    ("show", "missing"),
    ("ls", "--flat"),
    ("ls", "--flat", "folder"),
    ("ls", "--flat", "--strip-prefix", "folder"),
    ("ls", "missing"),
    ("find", "inner"),
    ("find", "YAML-"),
]


@dataclass(frozen=True)
class World:
    """One store, read by both."""

    gopass: Path
    root: Path
    gnupg: Home
    store: Repository

    def run(self, *arguments: str) -> tuple[int, bytes]:
        done = subprocess.run(
            [self.gopass, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            env={
                "PATH": os.environ["PATH"], "HOME": str(self.root), "LC_ALL": "C.UTF-8",
                "GOPASS_HOMEDIR": str(self.root), "GNUPGHOME": str(self.gnupg.path),
                "GOPASS_NO_REMINDER": "1", "NO_COLOR": "true",
            }, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def world(gopass: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("gopass")
    with home() as gnupg:
        fingerprint = gnupg.curve25519("operator@example.org")
        files = {
            f"{name}.gpg": gnupg.encrypt(text, [fingerprint]) for name, text in ENTRIES.items()
        }
        store = Repository.create(
            root / "store", {".gpg-id": f"0x{fingerprint[-16:]}\n", **files}, "main"
        )
        config = root / ".config" / "gopass" / "config"
        config.parent.mkdir(parents=True)
        config.write_text(
            f"[mounts]\n\tpath = {store.path}\n[core]\n\tautosync = false\n\tautopush = false\n"
        )
        yield World(gopass, root, gnupg, store)


@pytest.fixture
async def reader(world: World, tmp_path: Path) -> AsyncIterator[PinnedStores]:
    key = world.gnupg.private_key("operator@example.org")
    gpg = Gpg.private([key], b"", path=os.environ["PATH"])
    name = StoreName.parse("root")
    access = GitAccess(path=os.environ["PATH"])
    mirror = Mirror(GitUrl.parse(world.store.url), tmp_path, access)
    decryptors = Decryptors(OpenPgp([key], None, gpg), AgeDecryptor(Identities()))
    mirrors = Mirrors({name: LastGood(mirror, allowed=False)}.__getitem__)
    stores = Stores(mirrors, Commit, decryptors)
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "", frozenset({name}))
    reads: list[Read] = []
    async with stores.reader(target, reads) as opened:
        yield opened
    await gpg.close()


def ours(arguments: tuple[str, ...]) -> list[str]:
    """Name the entry as a generator does, with its store before it."""
    verb = 1 if arguments[0] in {"show", "cat", "ls", "find"} else 0
    words = list(arguments)
    for at in range(verb, len(words)):
        if not words[at].startswith("-"):
            if words[0] != "find":
                words[at] = f"root/{words[at]}"
            break
    return words


@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
async def test_we_print_what_gopass_prints(
    world: World, reader: PinnedStores, arguments: tuple[str, ...]
) -> None:
    code, printed = world.run(*arguments)
    answer = await GopassAnswers(reader).answer(ours(arguments))
    if not printed.strip(b"\r\n") and code == 0:
        assert answer.code != 0, "an empty value is refused (design decision 2)"
        return
    found = answer.stdout.reveal().replace(b"root/", b"")
    assert (answer.code, found) == (code, printed if code == 0 else b"")


async def test_an_empty_key_is_refused_where_gopass_prints_everything(
    world: World, reader: PinnedStores
) -> None:
    """`gopass ENTRY "$KEY"` with an unset variable: gopass gives the whole entry, we give none."""
    code, printed = world.run("keys", "")
    assert (code, printed) == (0, ENTRIES["keys"])
    answer = await GopassAnswers(reader).answer(["root/keys", ""])
    assert answer.code != 0
    assert answer.stdout.is_empty
