"""Files that a person names → their bytes, or the reason why not; a device has no end of them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_bounded(path: Path, most: int) -> bytes:
    """Give the bytes of a file or a pipe; raise `OSError`, also when there are more than `most`."""
    with path.open("rb") as file:
        untrusted = file.read(most + 1)
    if len(untrusted) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return untrusted


def open_regular(path: Path) -> BinaryIO:
    """Open a file that has an end and can be read twice; raise `OSError` for anything else.

    It waits for nobody: a pipe that has no writer would be opened only when one came.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "it is no regular file", str(path))
