"""Scratch folders: what is in use stays, what a killed process left goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError, SourceError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside import files


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "MEMORY_DIRECTORIES", (tmp_path,))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def aged(path: Path) -> Path:
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    return path


def test_what_a_killed_process_left_is_removed(memory: Path) -> None:
    left = memory / "flux-secret-scratch-checkout-x"
    left.mkdir()
    (left / "file").write_text("x")
    aged(left)
    assert files.remove_stale_scratch() == [left]
    assert not left.exists()


def test_a_folder_in_use_a_young_one_and_others_stay(memory: Path) -> None:
    young, foreign = memory / "flux-secret-scratch-gen-y", memory / "flux-secret-etcd"
    young.mkdir()
    foreign.mkdir()
    aged(foreign)
    (memory / "flux-secret-scratch-link").symlink_to(foreign)
    with files.scratch("gen") as used:
        aged(used)
        assert files.remove_stale_scratch() == []
        assert used.is_dir()
    assert not used.exists()
    assert young.is_dir()
    assert foreign.is_dir()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "lies_in_memory", lambda _path: True)
    root = tmp_path / "checkout"
    (root / "demo").mkdir(parents=True)
    return root


def test_a_value_takes_the_place_of_a_file_and_of_a_link(checkout: Path) -> None:
    outside = checkout.parent / "outside"
    outside.write_text("kept")
    (checkout / "a").write_text("a longer text")
    (checkout / "demo" / "b").symlink_to(outside)
    for name in ("a", "demo/b"):
        assert files.place_inside(checkout, name, Plaintext(b"value")) == 5
        assert (checkout / name).read_bytes() == b"value"
        assert (checkout / name).stat().st_mode & 0o777 == 0o600
    assert outside.read_text() == "kept"


def test_a_value_is_not_placed_outside_or_where_no_file_can_be(checkout: Path) -> None:
    (checkout / "out").symlink_to(checkout.parent)
    for name, words in (
        ("out/x", "leads out of the repository"),
        ("../x", "leads out of the repository"),
        ("demo", "no place for a file"),
        ("nowhere/x", "no place for a file"),
    ):
        with pytest.raises(SourceError, match=words):
            files.place_inside(checkout, name, Plaintext(b"value"))
    assert not (checkout.parent / "x").exists()


def test_a_value_is_not_placed_where_a_disk_may_be(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "lies_in_memory", lambda _path: False)
    with pytest.raises(ConfigurationError, match="does not lie in memory") as caught:
        files.place_inside(checkout, "a", Plaintext(b"value"))
    assert "TMPDIR" in caught.value.remedy
    assert not (checkout / "a").exists()


DISK, MEMORY = "ext4", "tmpfs"


@pytest.mark.parametrize(
    ("mounts", "memory"),
    [
        ([("/", DISK)], False),
        ([("/", DISK), ("{}", MEMORY)], True),
        ([("{}", MEMORY), ("/", DISK)], True),
        ([("/", MEMORY), ("{}", DISK)], False),
        ([("/", DISK), ("{}", MEMORY), ("{}", DISK)], False),
        ([("/", DISK), ("{}x", MEMORY)], False),
        ([], False),
    ],
    ids=[
        "disk",
        "memory",
        "other-order",
        "disk-in-memory",
        "disk-over-memory",
        "neighbour",
        "unknown",
    ],
)
def test_memory_is_told_from_a_disk_by_the_innermost_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: list[tuple[str, str]], *, memory: bool
) -> None:
    folder = tmp_path / "a folder"
    (folder / "inner").mkdir(parents=True)
    place = str(folder).replace(" ", "\\040")
    table = "".join(
        f"2 1 0:2 / {point.replace('{}', place)} rw shared:1 - {kind} x rw\n"
        for point, kind in mounts
    )
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: table)
    assert files.lies_in_memory(folder / "inner") is memory
