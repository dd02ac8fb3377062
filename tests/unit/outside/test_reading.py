"""A file that somebody names is read to its end, if it has one and that is not too far."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_secret.outside.reading import open_regular, read_bounded


def test_a_file_is_read_up_to_as_many_bytes_as_it_may_have(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bounded(file, 5) == b"12345"
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        read_bounded(file, 4)
    with pytest.raises(OSError, match="it has more than 4096 bytes"):
        read_bounded(Path("/dev/zero"), 4096)


def test_only_a_regular_file_is_opened_as_one_and_nobody_is_waited_for(tmp_path: Path) -> None:
    file, pipe = tmp_path / "file", tmp_path / "pipe"
    file.write_bytes(b"12345")
    os.mkfifo(pipe)  # a pipe that nobody writes: opening it waits for ever
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    with open_regular(file) as opened:
        assert opened.read() == b"12345"
    for other in (pipe, link, tmp_path):
        with pytest.raises(OSError, match="it is no regular file"):
            open_regular(other)
