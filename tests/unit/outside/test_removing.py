"""Whatever a script makes of a folder, it is gone afterwards, and nothing is raised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_secret.outside.removing import remove_tree


def deep(root: Path) -> None:
    """Deeper than a path is long, and than Python recurses."""
    handle = os.open(root, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=handle)
        below = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)


def locked(root: Path) -> None:
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_text("x")
    (root / "a/b").chmod(0)
    (root / "a").chmod(0)


def wide(root: Path) -> None:
    for number in range(50):
        (root / f"{number}").mkdir()
        for other in range(20):
            (root / f"{number}/{other}").mkdir()
            (root / f"{number}/{other}/file").touch()


def links(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (root / "a").mkdir()
    (root / "a/link").symlink_to(outside)
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "fifo")


def names_that_are_taken(root: Path) -> None:
    (root / ".removing-0").mkdir()
    (root / ".removing-0/file").touch()
    (root / ".removing-1").touch()
    (root / "a/b/c").mkdir(parents=True)


@pytest.mark.parametrize(
    "make", [deep, locked, wide, links, names_that_are_taken], ids=lambda make: make.__name__
)
def test_it_is_gone(tmp_path: Path, make: object) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert callable(make)
    make(root)
    assert remove_tree(root)
    assert not root.exists()
    kept = tmp_path / "outside/kept"
    assert kept.exists() or not kept.parent.exists(), "a link was followed"


def test_what_is_not_there_is_gone(tmp_path: Path) -> None:
    assert remove_tree(tmp_path / "nothing")


def test_what_cannot_be_removed_stays_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root/a/b").mkdir(parents=True)

    def refuses(*_what: object, **_how: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "rmdir", refuses)
    assert not remove_tree(tmp_path / "root")
