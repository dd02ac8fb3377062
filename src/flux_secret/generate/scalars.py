"""A plain YAML scalar → the value that `kubectl apply` makes of it (design decision 6).

kubectl reads YAML 1.1 through Go's yaml.v2: `0400` is 256, `yes` is true, `1e3` is 1000, dates
and `12:30:45` stay text.
"""

from __future__ import annotations

import math
import re
from typing import Final

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE: Final = frozenset(
    {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
)
_INT: Final = re.compile(r"[-+]?(?:0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_INT64: Final = range(-(2**63), 2**64)  # Go tries int64, then uint64, then float64
_MAX_DIGITS: Final = 400


def is_null(text: str) -> bool:
    """Whether a plain scalar means nothing."""
    return text in _NULLS


def plain(text: str) -> bool | int | float | str | None:
    """Give the value of a plain scalar; raise `ValueError` for infinities, which JSON lacks."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] in "+-.0123456789" and len(text) <= _MAX_DIGITS:
        return _number(text)
    return text


def _number(text: str) -> int | float | str:
    if _INFINITE.fullmatch(text):
        raise ValueError("JSON has no such number")
    if text[0] == ".":  # Go reads these as they are: no underscores
        return _fraction(text)
    digits = text.replace("_", "")
    if _INT.fullmatch(digits):
        value = _go_int(digits)
        return value if value in _INT64 else _whole(float(value))
    return _fraction(digits, text)


def _fraction(digits: str, text: str | None = None) -> int | float | str:
    """Give a decimal number, else the text itself; too large a number is a text in Go."""
    if not _FLOAT.fullmatch(digits):
        return digits if text is None else text
    number = float(digits)
    return (digits if text is None else text) if math.isinf(number) else _whole(number)


def _go_int(digits: str) -> int:
    """Read as Go's `ParseInt(s, 0, 64)`: a leading zero means octal."""
    sign = -1 if digits.startswith("-") else 1
    bare = digits.lstrip("+-")
    octal = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
    return sign * int(bare, 8 if octal else 0)


def _whole(number: float) -> int | float:
    """Give whole numbers as Go's JSON does: without a fraction below 1e21."""
    return int(number) if number.is_integer() and abs(number) < 1e21 else number  # noqa: PLR2004 -- encoding/json's own limit
