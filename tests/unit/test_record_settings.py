"""Where the record is kept, as flags and environments say it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from flux_secret.errors import UsageError
from flux_secret.settings import Flags, Settings
from flux_secret.settings.record import RecordSettings

MIB = 1024 * 1024


def _load(**given: object) -> RecordSettings | None:
    flags = Flags(git_url="file:///ops", cache_dir=Path("/cache"), **given)  # type: ignore[arg-type]
    return Settings.load(flags, {}).record


def _some(**given: object) -> RecordSettings:
    found = _load(**given)
    assert found is not None
    return found


def test_an_agent_that_is_told_no_place_keeps_no_record() -> None:
    assert _load() is None


def test_a_branch_alone_has_its_spool_in_the_cache() -> None:
    found = _some(record_git_url="https://git.example.org/record.git", record_git_interval="30s")
    assert (found.folder, found.push_seconds) == (Path("/cache/record"), 30.0)
    assert str(found.git_url) == "https://git.example.org/record.git"


def test_a_bounded_record_has_files_that_can_go() -> None:
    some = _some(record_dir=Path("/r"))
    assert (some.segment_bytes, some.keep_bytes) == (64 * MIB, 0)
    found = _some(record_dir=Path("/r"), record_keep="16Mi")
    assert (found.keep_bytes, found.segment_bytes) == (16 * MIB, 2 * MIB)
    with pytest.raises(UsageError, match="--record-keep 1Mi is too little"):
        _load(record_dir=Path("/r"), record_keep="1Mi")


@pytest.mark.parametrize(
    ("flag", "given"),
    [
        ("--record-git-url", {"record_git_url": "ht!tp://x"}),
        ("--record-git-branch", {"record_git_url": "file:///x", "record_git_branch": "../x"}),
        ("--record-git-interval", {"record_git_url": "file:///x", "record_git_interval": "soon"}),
        ("--record-keep", {"record_dir": Path("/r"), "record_keep": "1x"}),
    ],
)
def test_a_wrong_flag_is_named(flag: str, given: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"{flag}: "):
        _load(**given)


def test_the_key_of_the_sync_tag_signs_unless_another_is_named() -> None:
    assert _some(record_dir=Path("/r"), git_signing_key="A").signing_key == "A"
    assert (
        _some(record_dir=Path("/r"), git_signing_key="A", record_signing_key="B").signing_key == "B"
    )


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/jane"}, "/home/jane/.local/state/flux-secret/record"),
        ({"HOME": "/home/jane", "XDG_STATE_HOME": "/s"}, "/s/flux-secret/record"),
        ({"FLUX_SECRET_RECORD_DIR": "/r", "XDG_STATE_HOME": "/s"}, "/r"),
    ],
)
def test_a_persons_record_is_in_their_state_directory(environ: dict[str, str], folder: str) -> None:
    found = RecordSettings.of_person({**environ, "USER": "jane"})
    assert found.folder == Path(folder)
    assert found.name.startswith("jane@")
    assert found.signing_key is None


def test_a_persons_chain_is_called_as_the_machine_knows_them_where_no_shell_says_it() -> None:
    found = RecordSettings.of_person({"HOME": "/home/jane"})
    assert found.name.startswith(f"{pwd.getpwuid(os.getuid()).pw_name}@")
