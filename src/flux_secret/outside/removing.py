"""A folder that scripts had → nothing, whatever they have made of it; never an exception.

Names may be nested deeper than a path is long or a program recurses, and folders locked. So folders
below folders are moved up to the top first: two are open at a time, and nothing is deeper than two.
"""

# ruff: noqa: PTH208 -- folders are known by descriptor here
from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_PRIVATE: Final = 0o700
_TAKEN: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


def remove_tree(root: Path) -> bool:
    """Take a folder away with all that is in it; say whether it is gone.

    Nobody may be changing it meanwhile. What the kernel does not let go of stays.
    """
    with contextlib.suppress(OSError):
        root.chmod(_PRIVATE)  # ours, and no link: its name is
        top = os.open(root, _FOLDER)
        try:
            numbers = itertools.count()
            while _emptied(top, numbers):
                pass
        finally:
            os.close(top)
        root.rmdir()
    return not root.exists()


def _emptied(top: int, numbers: Iterator[int]) -> bool:
    """Remove what is in the top folder, and lift what is below; say whether to go on."""
    moved = False
    for name in os.listdir(top):
        with contextlib.suppress(OSError):
            if _unlinked(top, name):
                continue
            folder = _opened(top, name)
            try:
                for below in os.listdir(folder):
                    if not _unlinked(folder, below):
                        _lift(folder, below, top, numbers)
                        moved = True
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=top)
    return moved


def _unlinked(folder: int, name: str) -> bool:
    """Remove a file or a link; say whether it was one."""
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        return False
    return True


def _opened(parent: int, name: str) -> int:
    os.chmod(name, _PRIVATE, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _lift(folder: int, name: str, top: int, numbers: Iterator[int]) -> None:
    """Move a folder up to the top, under a name that is free there."""
    os.chmod(name, _PRIVATE, dir_fd=folder)  # it is written to: its `..` is another one
    while True:
        free = f".removing-{next(numbers)}"
        try:
            os.rename(name, free, src_dir_fd=folder, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            return
