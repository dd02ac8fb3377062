"""Files that the real sops has encrypted, to gpg and to age, and all that is wrong with some."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError, DecryptError, FluxSecretError, ManifestError
from flux_secret.generate.interface import Answer
from flux_secret.generate.plain import load
from flux_secret.generate.sops import SopsFiles
from flux_secret.model.manifest import Manifest
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Generation
from flux_secret.outside import files as files_of_ours
from flux_secret.outside.files import scratch
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.sandbox.sandbox import Kind, Sandbox
from flux_secret.outside.sops import Sops
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Workshops
from simulators.gnupg import Home, home
from simulators.programs import sops

__all__ = ["sops"]
CONFINING = [Kind.BUBBLEWRAP, Kind.LANDLOCK]
SECONDS = 60.0
PASSPHRASE = "open sesame"
CLEAR = """\
# who reads this reads a comment
apiVersion: v1
kind: Secret
metadata:
  name: demo
stringData:
  password: "0123 correct horse" # beside the value
  certificate: |
    -----BEGIN X-----
    abc
  blank: " x "
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: demo
data:
  enabled: "yes"
"""
VALUES = {
    "password": Plaintext(b"0123 correct horse"),
    "certificate": Plaintext(b"-----BEGIN X-----\nabc\n"),
    "blank": Plaintext(b" x "),
}


@dataclass(frozen=True)
class Keys:
    """The operator's keys, a stranger's, and one with a passphrase."""

    home: Home
    age: Path
    age_recipient: str

    def encrypt(self, program: Path, text: str, *options: str) -> bytes:
        done = subprocess.run(
            [program, "--encrypt", "--input-type", "yaml", "--output-type", "yaml", *options,
             "/dev/stdin"],
            env={"PATH": os.environ["PATH"], "GNUPGHOME": str(self.home.path), "HOME": "/nowhere"},
            input=text.encode(), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def to(self, name: str) -> tuple[str, str]:
        if name == "age":
            return "--age", self.age_recipient
        return "--pgp", self.home.fingerprint(f"{name}@example.org")

    def private(self, name: str, passphrase: str = "") -> bytes:
        return self.home.private_key(f"{name}@example.org", passphrase)


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    if shutil.which("age-keygen") is None:
        pytest.skip("age is not installed, so no age key can be made")
    with home() as made, scratch("age") as place:
        made.curve25519("operator@example.org")
        made.curve25519("stranger@example.org")
        made.curve25519("locked@example.org", PASSPHRASE)
        file = place / "keys.txt"
        said = subprocess.run(
            ["age-keygen", "-o", str(file)], capture_output=True, check=True, text=True
        )
        yield Keys(made, file, said.stderr.split()[-1])


@asynccontextmanager
async def agent(
    program: Path,
    private: tuple[bytes, ...] = (),
    *,
    age: Path | None = None,
    kind: Kind = Kind.BUBBLEWRAP,
    passphrase: str = "",
    persons: Path | None = None,
) -> AsyncIterator[SopsFiles]:
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    gpg = Gpg.private(private, passphrase.encode(), path=path)
    lender = gpg if persons is None else Gpg(path=path, home=persons)
    try:
        async with Supervisors() as supervisors:
            confined = Workshops(path, Sandbox(kind), supervisors)
            yield SopsFiles(Sops(confined, lender.lent, age).decrypt, SECONDS)
    finally:
        await gpg.close()


async def made(files: SopsFiles, text: bytes, root: Path) -> list[Manifest]:
    (root / "demo.yaml").write_bytes(text)
    return await load(root, root, files.opened)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("recipient", ["operator", "age"])
async def test_every_value_comes_as_it_was_encrypted(
    sops: Path, keys: Keys, tmp_path: Path, kind: Kind, recipient: str
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to(recipient))
    assert b"ConfigMap" not in text
    age = keys.age if recipient == "age" else None
    private = () if recipient == "age" else (keys.private("operator"),)
    async with agent(sops, private, kind=kind, age=age) as files:
        secret, config = await made(files, text, tmp_path)
    assert secret.body["stringData"] == VALUES
    assert config.body["data"] == {"enabled": "yes"}


async def test_nothing_is_left_of_a_file_that_was_opened_or_was_not(
    sops: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("operator"), "--encrypted-regex", "^stringData$")
    # a short name: the sockets of the gpg home that is made in it may have 107 characters
    with tempfile.TemporaryDirectory(dir=files_of_ours.memory_directory(), prefix="t") as name:
        place = Path(name)
        monkeypatch.setattr(files_of_ours, "MEMORY_DIRECTORIES", (place,))
        async with agent(sops, (keys.private("operator"),)) as files:
            await made(files, text, tmp_path)
            with pytest.raises(DecryptError):
                await made(files, damaged(text), tmp_path)
            (left,) = place.iterdir()
            assert "scratch-gpg-" in left.name
        assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", CONFINING)
async def test_a_key_with_a_passphrase_is_unlocked(
    sops: Path, keys: Keys, tmp_path: Path, kind: Kind
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("locked"))
    locked = (keys.private("locked", PASSPHRASE),)
    async with agent(sops, locked, kind=kind, passphrase=PASSPHRASE) as files:
        assert len(await made(files, text, tmp_path)) == 2


@pytest.mark.parametrize("kind", CONFINING)
async def test_a_persons_own_home_decrypts_and_stays_as_it_is(
    sops: Path, keys: Keys, tmp_path: Path, kind: Kind
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("operator"))
    before = sorted(path.name for path in (keys.home.path / "private-keys-v1.d").iterdir())
    async with agent(sops, persons=keys.home.path, kind=kind) as files:
        assert len(await made(files, text, tmp_path)) == 2
    assert not (keys.home.path / "gpg.conf").exists()
    assert sorted(one.name for one in (keys.home.path / "private-keys-v1.d").iterdir()) == before


async def test_one_of_several_recipients_is_enough(sops: Path, keys: Keys, tmp_path: Path) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("stranger"), *keys.to("age"))
    async with agent(sops, age=keys.age) as files:
        assert len(await made(files, text, tmp_path)) == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--encrypted-regex", "^(data|stringData)$"),
        ("--unencrypted-regex", "^(kind|apiVersion|metadata)$"),
        ("--mac-only-encrypted",),
    ],
    ids=lambda options: options[0],
)
async def test_a_partly_encrypted_file_is_whole_again(
    sops: Path, keys: Keys, tmp_path: Path, options: tuple[str, ...]
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("age"), *options)
    async with agent(sops, age=keys.age) as files:
        secret, _ = await made(files, text, tmp_path)
    assert secret.body["stringData"] == VALUES


async def test_the_unencrypted_suffix_leaves_values_in_the_clear(
    sops: Path, keys: Keys, tmp_path: Path
) -> None:
    clear = CLEAR.replace("blank:", "blank_unencrypted:")
    text = keys.encrypt(sops, clear, *keys.to("age"), "--unencrypted-suffix", "_unencrypted")
    assert b"blank_unencrypted: ENC" not in text
    assert b"password: ENC" in text
    async with agent(sops, age=keys.age) as files:
        secret, _ = await made(files, text, tmp_path)
    assert secret.body["stringData"] == {
        **{name: value for name, value in VALUES.items() if name != "blank"},
        "blank_unencrypted": VALUES["blank"],
    }


@pytest.mark.parametrize("recipient", ["operator", "age"])
async def test_a_file_for_others_names_its_recipients(
    sops: Path, keys: Keys, tmp_path: Path, recipient: str
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to(recipient))
    async with agent(sops, (keys.private("stranger"),)) as files:
        with pytest.raises(DecryptError, match="no key of this agent opens it") as caught:
            await made(files, text, tmp_path)
    assert keys.to(recipient)[1] in caught.value.what
    assert "SOPS_AGE_KEY_FILE" in caught.value.remedy


def renamed(text: bytes) -> bytes:
    return text.replace(b"name: demo", b"name: other", 1)


def damaged(text: bytes) -> bytes:
    at = text.index(b"ENC[AES256_GCM,data:") + len(b"ENC[AES256_GCM,data:")
    return text[:at] + (b"A" if text[at : at + 1] != b"A" else b"B") + text[at + 1 :]


def swapped(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    first, second = (
        next(i for i, line in enumerate(lines) if line.strip().startswith(name))
        for name in (b"password:", b"blank:")
    )
    lines[first], lines[second] = (
        lines[first].replace(b"password:", b"blank:"),
        lines[second].replace(b"blank:", b"password:"),
    )
    return b"".join(lines)


def without_mac(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.strip().startswith(b"mac:"))


def with_another(text: bytes) -> bytes:
    return text.replace(b"stringData:\n", b"stringData:\n    added: in the clear\n", 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed, "its MAC does not match"),
        (damaged, "a value in it is damaged"),
        (swapped, "a value in it is damaged, or was put in another place"),
        (without_mac, "its MAC does not match"),
        (with_another, "sops ended with exit code|a value in it is damaged"),
    ],
)
async def test_a_file_that_was_changed_is_refused_and_not_quoted(
    sops: Path, keys: Keys, tmp_path: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("age"), "--encrypted-regex", "^(data|stringData)$")
    async with agent(sops, age=keys.age) as files:
        with pytest.raises(DecryptError, match=words) as caught:
            await made(files, change(text), tmp_path)
    said = caught.value.what + caught.value.remedy
    assert 'unable to read file at "demo.yaml": failed to decrypt file: ' in said
    assert "correct horse" not in said
    assert "in the clear" not in said


async def test_a_file_that_is_not_encrypted_needs_no_sops(tmp_path: Path) -> None:
    confined = Workshops("", ConfigurationError("none"), Supervisors())
    sops = Sops(confined, Gpg(path="").lent, None)
    files = SopsFiles(sops.decrypt, SECONDS)
    assert len(await made(files, f"# sops: none\n{CLEAR}".encode(), tmp_path)) == 2


async def test_a_broken_document_of_a_decrypted_file_is_named_and_not_quoted(
    sops: Path, keys: Keys, tmp_path: Path
) -> None:
    text = keys.encrypt(sops, "password: correct horse\n", *keys.to("age"))
    async with agent(sops, age=keys.age) as files:
        with pytest.raises(ManifestError, match=r"demo\.yaml, document 1.* has no kind") as caught:
            await made(files, text, tmp_path)
    assert "horse" not in caught.value.what


@pytest.mark.parametrize("kind", CONFINING)
async def test_a_key_service_that_the_file_names_is_not_reached(
    sops: Path, keys: Keys, tmp_path: Path, kind: Kind
) -> None:
    text = keys.encrypt(sops, CLEAR, *keys.to("stranger"))
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.setblocking(False)  # noqa: FBT003 -- socket's own signature
        address = f"http://127.0.0.1:{service.getsockname()[1]}"
        key = f"vault_address: '{address}', engine_path: a, key_name: b, enc: c"
        vault = f"    hc_vault: [{{{key}, created_at: '2026-11-25T10:05:20Z'}}]"
        text = text.replace(b"\nsops:\n", f"\nsops:\n{vault}\n".encode())
        async with agent(sops, (keys.private("operator"),), kind=kind) as files:
            with pytest.raises(DecryptError, match="no key of this agent opens it"):
                await made(files, text, tmp_path)
        with pytest.raises(BlockingIOError):
            service.accept()
        if kind is Kind.BUBBLEWRAP:  # the test itself: without a sandbox it is asked
            async with agent(sops, (keys.private("operator"),), kind=Kind.OPEN) as asking:
                with pytest.raises(FluxSecretError):
                    await made(SopsFiles(asking._decrypt, 5.0), text, tmp_path)
            service.accept()[0].close()


async def test_a_sops_that_does_not_end_is_ended(keys: Keys, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "sops"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nsleep 1000\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    async with Supervisors() as supervisors:
        confined = Workshops(path, Sandbox(Kind.BUBBLEWRAP), supervisors)
        sops = Sops(confined, Gpg(path=path).lent, keys.age)
        with pytest.raises(DecryptError, match=r"did not end within 0\.5 s \(--sync-timeout\)"):
            await sops.decrypt(b"x", pgp=False, timeout_seconds=0.5)


@pytest.mark.parametrize("kind", CONFINING)
async def test_a_generator_has_no_key_that_sops_could_use(
    sops: Path, keys: Keys, tmp_path: Path, kind: Kind
) -> None:
    async def answer(_words: object) -> Answer:
        return Answer(0, Plaintext(b""))

    text = keys.encrypt(sops, CLEAR, *keys.to("age"), *keys.to("operator"))
    path = f"{sops.parent}{os.pathsep}{os.environ['PATH']}"
    async with agent(sops, (keys.private("operator"),), age=keys.age, kind=kind) as files:
        await made(files, text, tmp_path)  # gpg's home is there, and its agent runs
        with scratch("checkout") as checkout:
            (checkout / "demo.yaml").write_bytes(text)
            command = f"SOPS_AGE_KEY_FILE={keys.age} sops --decrypt demo.yaml"
            async with (
                Supervisors() as supervisors,
                Workshops(path, Sandbox(kind), supervisors).open(
                    Generation(), checkout, answer
                ) as workshop,
            ):
                done = await workshop.run(command, cwd=checkout, timeout_seconds=SECONDS)
    assert done.returncode == 128, done.untrusted_stderr
