"""`flux-secret identity` against ssh-keygen and gpg; and where a private key may not be shown."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.gnupg import Home, home
from simulators.installing import PRIVATE
from simulators.measured import measured
from simulators.repositories import Repository

FOLDER = "technical/k8s/prod/flux"
KINDS = {
    "ed25519": ("-t", "ed25519"),
    "rsa of 2019": ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    "ecdsa": ("-t", "ecdsa", "-m", "PKCS8"),
}


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.curve25519("operator@example.org")
        made.rsa("old@example.org", 2048, mixed=True)
        made.curve25519("locked@example.org", "hunter2")
        yield made


def keygen(*words: str) -> str:
    done = subprocess.run(
        ["ssh-keygen", *words], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def identity(*words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "flux_secret", "identity", *words], check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **measured()},
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert not PRIVATE.search((done.stdout + done.stderr).encode())
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_deploy_key_is_the_one_that_ssh_keygen_shows(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "identity"
    keygen("-q", "-N", "", "-C", "flux", "-f", str(file), *KINDS[kind])
    file.chmod(0o444)  # ssh itself would refuse it; as a mounted Secret has it
    public = tmp_path / "identity.pub"
    shown = identity(f"--git-ssh-key={file}")
    assert shown[0] == 0, shown
    assert shown[1].split()[:2] == public.read_text().split()[:2]
    prints = [keygen("-l", "-E", name, "-f", str(public)).split()[1] for name in ("sha256", "md5")]
    assert identity("-l", f"--git-ssh-key={file}")[1].splitlines() == prints


def test_the_openpgp_key_is_the_one_that_gpg_shows(gnupg: Home, tmp_path: Path) -> None:
    for email in ("operator@example.org", "old@example.org"):
        file = tmp_path / "flux.asc"
        file.write_bytes(gnupg.private_key(email))
        code, out, err = identity("--gpg", f"--git-gpg-key-import={file}")
        assert code == 0, err
        fingerprint, _, armored = out.partition("\n")
        assert fingerprint == gnupg.fingerprint(email)
        listed = gnupg.gpg("--show-keys", "--with-colons", stdin=armored.encode()).decode()
        assert f":{fingerprint}:" in listed
        assert "sec:" not in listed
        assert identity("--gpg", "-l", f"--git-gpg-key-import={file}")[1] == f"{fingerprint}\n"


def test_a_key_that_nobody_can_unlock_in_a_pod_is_refused(gnupg: Home, tmp_path: Path) -> None:
    locked = tmp_path / "locked.asc"
    locked.write_bytes(gnupg.private_key("locked@example.org", "hunter2"))
    code, out, err = identity("--gpg", f"--git-gpg-key-import={locked}")
    assert (code, out) == (4, "")
    assert "is protected by a passphrase" in err
    ssh = tmp_path / "identity"
    keygen("-q", "-t", "ed25519", "-N", "hunter2", "-f", str(ssh))
    code, out, err = identity(f"--git-ssh-key={ssh}")
    assert (code, out) == (4, "")
    assert "no passphrase" in err


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff" * 300_000])
def test_what_is_no_key_is_an_error_that_says_so(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    for words in ([f"--git-ssh-key={file}"], ["--gpg", f"--git-gpg-key-import={file}"]):
        code, out, err = identity(*words)
        assert (code, out) == (4, "")
        assert err.startswith("error: ")
    assert identity(f"--git-ssh-key={tmp_path / 'none'}")[0] == 4
    assert identity("--from=admin")[0] == 2


def test_a_private_key_is_never_printed_on_a_terminal(gnupg: Home, tmp_path: Path) -> None:
    file = tmp_path / "identity"
    keygen("-q", "-N", "", "-f", str(file), "-t", "ed25519")
    entries = {
        "gpg-private-key": gnupg.private_key("operator@example.org"),
        "ssh-private-key": file.read_bytes(),
    }
    to = ["operator@example.org"]
    store = Repository.create(
        tmp_path / "admin",
        {f"{FOLDER}/{name}.gpg": gnupg.encrypt(text, to) for name, text in entries.items()},
    )
    words = [
        "install", "--image=registry.example.org/flux-secret:1", "--all-namespaces",
        "--git-url=git@github.com:example/applications", f"--from=admin/{FOLDER}",
        f"--store-dir={store.path}", "--with-secrets",
    ]  # fmt: skip
    env = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GNUPGHOME": str(gnupg.path),
        **measured(),
    }  # fmt: skip
    terminal, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "flux_secret", *words], stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=subprocess.PIPE, text=True, env=env, timeout=60, check=False,
    )  # fmt: skip
    os.write(theirs, b"END")
    shown = os.read(terminal, 65536)
    os.close(theirs)
    os.close(terminal)
    assert done.returncode == 2
    assert "the private keys would stand on this terminal" in done.stderr
    assert shown == b"END"
    piped = subprocess.run(
        [sys.executable, "-m", "flux_secret", *words], stdin=subprocess.DEVNULL,
        capture_output=True, env=env, timeout=60, check=False,
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr
    assert PRIVATE.search(piped.stdout)
    assert not PRIVATE.search(piped.stderr)
