"""A tree as it will be."""

from __future__ import annotations

from pathlib import Path

from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.overlay import Overlay


def store(place: Path) -> WorkFolder:
    folder = WorkFolder(place)
    for path, text in {
        ".gpg-id": b"0xA\n0xB\n", "one.gpg": b"1", "a/two.gpg": b"2", "a/b/three.gpg": b"3",
        "a/.gpg-id": b"0xA\n",
    }.items():  # fmt: skip
        folder.write(path, text)
    return folder


def test_who_may_read_is_what_the_change_says(tmp_path: Path) -> None:
    base = store(tmp_path)
    after = StoreTree(Overlay(base, {"a/b/.gpg-id": b"0xC\n", "a/.gpg-id": None}))
    assert after.recipients_file("a/b")[1].ids == ("0xC",)
    assert after.recipients_file("a")[0] == ".gpg-id"
    assert after.wanted_recipients("a/two") == ("0xA", "0xB")
    assert after.recipients_files == ("", "a/b")
    assert StoreTree(base).recipients_files == ("", "a")


def test_files_come_and_go(tmp_path: Path) -> None:
    overlay = Overlay(
        store(tmp_path), {"one.gpg": None, "new/deep/x.gpg": b"xyz", "a/two.gpg": b"!"}
    )
    after = StoreTree(overlay)
    assert after.names == ("a/b/three", "a/two", "new/deep/x")
    blob = after.blob("new/deep/x")
    assert blob is not None
    assert (after.ciphertext(blob), after.size(blob)) == (b"xyz", 3)
    assert after.blob("one") is None
    folder = overlay.entry("new/deep")
    assert folder is not None
    assert folder.is_folder
    changed = after.blob("a/two")
    assert changed is not None
    assert after.ciphertext(changed) == b"!"
