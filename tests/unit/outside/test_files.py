"""Scratch folders: what is in use stays, what a killed process left goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

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
