"""bytes → a value that cannot be printed, pickled, formatted or JSON-encoded by accident."""

from __future__ import annotations

import hmac
from typing import Any, Final, NoReturn

MASK: Final = "***"


class Plaintext:
    """A secret's value. Whatever prints it prints `***`; `reveal()` is the only way out.

    The call sites of `reveal()` are on a list that a test compares with the code
    (`tests/architecture/test_reveal.py`).
    """

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        self.__value = value

    def reveal(self) -> bytes:
        """Give the bytes. Every caller is on the list of the architecture test."""
        return self.__value

    @property
    def is_empty(self) -> bool:
        """Whether there is no byte in it."""
        return not self.__value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Plaintext({MASK})"

    def __format__(self, _spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plaintext):
            return NotImplemented
        return hmac.compare_digest(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]  # a hash in a set or a log would be an oracle

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:  # noqa: ANN401 -- pickle's own signature
        raise TypeError("a Plaintext is never pickled or copied")
