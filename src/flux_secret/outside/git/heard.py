"""A run of git → whether its remote answered: told by exit codes and status lines, not by words.

Only silence counts as an outage (docs/sync.md), and a host may refuse in any words. git itself ends
with 128 for everything, but:

1. ssh ends with 255 when no connection came about, and else as the command at the host did; git
   does not pass that on, so ssh runs inside a shell that writes it down;
2. the trace of HTTP has the status of each answer, and neither credentials nor contents.

What cannot be told: with 255, whether the host was silent or did not like us; the words say it for
what OpenSSH is known to say. And a host that answers "not now" in words and not in a status.
"""

from __future__ import annotations

import contextlib
import enum
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_EXIT: Final = "ssh-exit"
_TRACE: Final = "http-trace"
_MAX_TRACE: Final = 1024 * 1024  # bytes; the last answer stands at its end
_NO_CONNECTION: Final = 255  # ssh(1), EXIT STATUS
_STATUS: Final = re.compile(rb"<= Recv header: HTTP/[\d.]+ (\d{3})(?! Connection established)")
_NOT_NOW: Final = frozenset({408, 429})


class Heard(enum.Enum):
    """What came from the remote."""

    NOTHING = "nothing"
    NOT_NOW = "that it cannot now"
    AN_ANSWER = "an answer"


def noting_ssh(command: str, home: Path) -> str:
    """Give the words for GIT_SSH_COMMAND that run `command` and note how it ended."""
    note = shlex.quote(str(home / _EXIT))
    script = f'{command} "$@"; code=$?; echo $code > {note}; exit $code'
    return f"/bin/sh -c {shlex.quote(script)} ssh"


def noting_http(home: Path) -> Mapping[str, str]:
    """Give the variables that make git note what it hears by HTTP; what is secret is left out."""
    trace = str(home / _TRACE)
    return {"GIT_TRACE_CURL": trace, "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}


def heard(scheme: str, home: Path) -> Heard:
    """Look at what a run left in its home."""
    if scheme == "ssh":
        code = _read(home / _EXIT).strip()
        return Heard.AN_ANSWER if code not in {b"", b"%d" % _NO_CONNECTION} else Heard.NOTHING
    if scheme in {"http", "https"}:
        statuses = _STATUS.findall(_read(home / _TRACE))
        if not statuses:
            return Heard.NOTHING
        last = int(statuses[-1])
        is_later = last in _NOT_NOW or last >= 500  # noqa: PLR2004 -- RFC 9110 §15.6
        return Heard.NOT_NOW if is_later else Heard.AN_ANSWER
    return Heard.AN_ANSWER  # a folder is there, or git says that it is not


def _read(file: Path) -> bytes:
    with contextlib.suppress(OSError), file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _MAX_TRACE))
        return opened.read(_MAX_TRACE)
    return b""
