"""A call of pysequoia → its result; None when it fails in any way, a panic of Rust included.

A panic comes as `pyo3_runtime.PanicException`, which no `except Exception` catches: one armored
message with a changed byte would end the whole agent (Sequoia 2.4.1, parse.rs: unexpected EOF).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | None:
    """Give what `call` gives; why it failed is in words that may quote anything, so it is lost."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 -- pyo3 raises whatever, and gpg has the last word
        return None
