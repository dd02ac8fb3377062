"""The walls around unit tests stand: without them the others could pass by chance."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys

import pytest


def test_no_socket_connects() -> None:
    with (
        socket.socket() as one,
        pytest.raises(AssertionError, match=r"asked for the network: socket\.connect"),
    ):
        one.connect(("127.0.0.1", 9))


def test_no_name_is_looked_up() -> None:
    with pytest.raises(AssertionError, match=r"asked for the network: socket\.getaddrinfo"):
        socket.getaddrinfo("localhost", 80)


async def test_asyncio_listens_on_nothing() -> None:
    with pytest.raises(AssertionError, match=r"asked for the network: socket\.bind"):
        await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)


def test_no_program_is_found_and_none_starts() -> None:
    assert os.environ["PATH"] == ""
    assert shutil.which("sh") is None
    with pytest.raises(AssertionError, match="started a program: /bin/sh"):
        subprocess.run(["/bin/sh", "-c", ":"], check=True)


def test_python_itself_starts() -> None:
    done = subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True)
    assert done.stdout == b"1\n"
