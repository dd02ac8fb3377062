"""What is kept of versions between two commands, and what is never believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from flux_secret.outside import digestcache
from flux_secret.outside.digestcache import DigestCache

RECORD = b"r" * 32


def kept(folder: Path, store: str = "s", **records: bytes) -> DigestCache:
    cache = DigestCache(folder, store)
    cache.records.update(records)
    cache.keep(records)
    assert cache.problem == ""
    return cache


def file_of(folder: Path) -> Path:
    (file,) = (path for path in (folder / "digests").iterdir() if path.name != "key")
    return file


def test_what_is_kept_comes_back_under_the_same_key(tmp_path: Path) -> None:
    first = kept(tmp_path, a=RECORD, b=RECORD)
    again = DigestCache(tmp_path, "s")
    assert (again.records, again.key) == ({"a": RECORD, "b": RECORD}, first.key)
    assert DigestCache(tmp_path, "other").records == {}
    again.keep(["b", "c"])
    assert DigestCache(tmp_path, "s").records == {"b": RECORD}
    for path in [tmp_path / "digests", *(tmp_path / "digests").iterdir()]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_the_key_on_disk_is_not_the_one_that_values_are_digested_with(tmp_path: Path) -> None:
    assert kept(tmp_path, a=RECORD).key != (tmp_path / "digests/key").read_bytes()


@pytest.mark.parametrize("at", [0, 25, 90, -1])
def test_what_was_changed_is_not_believed(tmp_path: Path, at: int) -> None:
    kept(tmp_path, a=RECORD)
    data = bytearray(file_of(tmp_path).read_bytes())
    data[at] ^= 1
    file_of(tmp_path).write_bytes(data)
    assert DigestCache(tmp_path, "s").records == {}


def test_what_was_cut_off_is_not_believed(tmp_path: Path) -> None:
    kept(tmp_path, a=RECORD)
    data = file_of(tmp_path).read_bytes()
    for size in range(len(data)):
        file_of(tmp_path).write_bytes(data[:size])
        assert DigestCache(tmp_path, "s").records == {}


def test_one_stores_file_is_not_believed_in_the_place_of_another_key(tmp_path: Path) -> None:
    kept(tmp_path / "one", a=RECORD)
    kept(tmp_path / "two", a=RECORD)
    file_of(tmp_path / "two").write_bytes(file_of(tmp_path / "one").read_bytes())
    assert DigestCache(tmp_path / "two", "s").records == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_could_read_or_write_is_made_anew(tmp_path: Path, mode: int) -> None:
    first = kept(tmp_path, a=RECORD)
    (tmp_path / "digests/key").chmod(mode)
    again = DigestCache(tmp_path, "s")
    assert (again.key != first.key, again.records) == (True, {})
    assert stat.S_IMODE((tmp_path / "digests/key").stat().st_mode) == 0o600


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 33])
def test_a_key_that_is_none_is_made_anew(tmp_path: Path, data: bytes) -> None:
    kept(tmp_path, a=RECORD)
    (tmp_path / "digests/key").write_bytes(data)
    assert DigestCache(tmp_path, "s").records == {}
    assert len((tmp_path / "digests/key").read_bytes()) == 32


def test_links_and_pipes_are_no_cache(tmp_path: Path) -> None:
    kept(tmp_path, a=RECORD)
    file = file_of(tmp_path)
    moved = file.rename(tmp_path / "moved")
    file.symlink_to(moved)
    assert DigestCache(tmp_path, "s").records == {}
    file.unlink()
    os.mkfifo(file)
    assert DigestCache(tmp_path, "s").records == {}


def test_without_a_place_everything_works_and_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = DigestCache(tmp_path / "file", "s")
    assert (len(cache.key), cache.records) == (32, {})
    assert "cannot be written" in cache.problem
    cache.keep(["a"])


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digestcache, "MAX_RECORDS", 2)
    monkeypatch.setattr(digestcache, "MAX_STORES", 2)
    kept(tmp_path, a=RECORD, b=RECORD, c=RECORD)
    assert len(DigestCache(tmp_path, "s").records) == 2
    for store in ("t", "u", "v"):
        kept(tmp_path, store, a=RECORD)
    assert len(list((tmp_path / "digests").iterdir())) == 3
    assert DigestCache(tmp_path, "v").records == {"a": RECORD}
    monkeypatch.setattr(digestcache, "MAX_BYTES", 10)
    assert DigestCache(tmp_path, "v").records == {}


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    kept(tmp_path, a=RECORD)
    file = file_of(tmp_path)
    inode = file.stat().st_ino
    kept(tmp_path, a=RECORD)
    assert file.stat().st_ino == inode
    kept(tmp_path, a=RECORD, b=RECORD)
    assert DigestCache(tmp_path, "s").records.keys() == {"a", "b"}
