"""What sops' end means; tests/system runs the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError, DecryptError, KeyFileError
from flux_secret.outside.gpg import Lent
from flux_secret.outside.process import Completed
from flux_secret.outside.sandbox.sandbox import Kind, Sandbox
from flux_secret.outside.sops import Sops, clear
from flux_secret.outside.supervision.group import OVER_MEMORY
from flux_secret.outside.supervision.supervisor import NOT_CONFINED
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Workshops


async def lend() -> Lent:
    raise NotImplementedError


def made(
    path: str, age: Path | None = None, sandbox: Sandbox | ConfigurationError | None = None
) -> Sops:
    confined = Workshops(path, sandbox or Sandbox(Kind.OPEN), Supervisors())
    return Sops(confined, lend, age)


def place(root: Path, *programs: str) -> str:
    for name in programs:
        (root / name).write_text("")
        (root / name).chmod(0o755)
    return str(root)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (51, "its MAC does not match"),
        (52, "it has no MAC"),
        (25, "a value in it is damaged"),
        (128, "no key of this agent opens it"),
        (1, "sops ended with exit code 1"),
        (-OVER_MEMORY, "used more than 1024 MiB"),
        (-NOT_CONFINED, "could not run in its sandbox"),
    ],
)
def test_an_end_that_is_not_good_gives_nothing_and_quotes_nothing(code: int, words: str) -> None:
    with pytest.raises(DecryptError, match=words) as caught:
        clear(Completed(code, b"a: hunter2\n", b"Input string hunter2 does not match\n"))
    assert "hunter2" not in caught.value.what + caught.value.remedy
    assert caught.value.remedy


def test_nothing_is_no_clear_text() -> None:
    with pytest.raises(DecryptError, match="decrypts to nothing"):
        clear(Completed(0, b" \n", b""))
    assert clear(Completed(0, b"a: 1\n", b"warning\n")).reveal() == b"a: 1\n"


async def test_a_missing_sops_is_named_with_what_to_install(tmp_path: Path) -> None:
    sops = made(str(tmp_path))
    with pytest.raises(ConfigurationError, match="the program sops is not on PATH") as caught:
        await sops.decrypt(b"", pgp=False, timeout_seconds=1)
    assert "install sops" in caught.value.remedy


async def test_a_missing_gpg_is_named_where_no_other_key_could_do(tmp_path: Path) -> None:
    sops = made(place(tmp_path, "sops"))
    with pytest.raises(ConfigurationError, match="the program gpg is not on PATH") as caught:
        await sops.decrypt(b"", pgp=True, timeout_seconds=1)
    assert "gnupg" in caught.value.remedy


async def test_without_a_sandbox_sops_is_not_started(tmp_path: Path) -> None:
    why = ConfigurationError("there is no sandbox", remedy="install bubblewrap")
    sops = made(place(tmp_path, "sops"), sandbox=why)
    with pytest.raises(ConfigurationError, match="there is no sandbox"):
        await sops.decrypt(b"", pgp=False, timeout_seconds=1)


async def test_age_keys_that_are_not_there_are_named(tmp_path: Path) -> None:
    sops = made(place(tmp_path, "sops"), tmp_path / "keys.txt")
    with pytest.raises(KeyFileError, match=r"keys\.txt cannot be read") as caught:
        await sops.decrypt(b"", pgp=False, timeout_seconds=1)
    assert "SOPS_AGE_KEY_FILE" in caught.value.remedy
