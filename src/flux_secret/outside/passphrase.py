"""A person at the terminal → a passphrase, typed unseen."""

from __future__ import annotations

import getpass
from pathlib import Path

from flux_secret.errors import UsageError
from flux_secret.model.plaintext import Plaintext

_TERMINAL = Path("/dev/tty")


async def ask_passphrase(question: str, *, again: bool = False) -> Plaintext | None:
    """Ask on the terminal itself, since standard input may be a value; None where there is none.

    `again`: it is new, so it is typed twice; raises `UsageError` when the two differ.
    """
    if not _is_there():
        return None
    typed = getpass.getpass(f"{question}: ")  # nothing else goes on meanwhile
    if again and typed != getpass.getpass("once more: "):
        raise UsageError("the two differ; nothing was made", remedy="try again")
    return Plaintext(typed.encode())


def _is_there() -> bool:
    try:
        _TERMINAL.open("rb").close()
    except OSError:
        return False
    return True
