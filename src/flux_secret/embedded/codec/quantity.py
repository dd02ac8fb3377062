"""`1000m` → `1`: a quantity in the form the API server stores (api/resource/quantity.go)."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal, localcontext
from typing import Final

_FORM: Final = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[eE][+-]?\d+|[EPTGMK]i|[numkMGTPE]|)"
)
_BINARY: Final = {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
    "Ei": 2**60,
}
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15,
                   "E": 18}  # fmt: skip
_SMALLEST: Final = Decimal("1e-9")
_MOST_CHARACTERS: Final = 64
_MOST_EXPONENT: Final = 64
_EXACT: Final = Context(prec=2 * (_MOST_CHARACTERS + _MOST_EXPONENT))
_MOST_BINARY: Final = Decimal(1024)


def canonical(text: str) -> str:
    """Give the canonical form; raise `ValueError` for what is no quantity."""
    found = _FORM.fullmatch(text)
    if not found or len(text) > _MOST_CHARACTERS or not text.isascii():
        raise ValueError(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    with localcontext(_EXACT):
        return _canonical(Decimal(found["number"]), found["suffix"])


def _canonical(number: Decimal, suffix: str) -> str:
    if suffix in _BINARY:
        value = number * _BINARY[suffix]
        # below 1024, and fractions, are written in decimal form (quantity.go CanonicalizeBytes)
        if abs(value) >= _MOST_BINARY and value == value.to_integral_value():
            return _binary(int(value))
        return _decimal(value)
    if suffix[:1] in {"e", "E"} and suffix not in _DECIMAL:
        if abs(int(suffix[1:])) > _MOST_EXPONENT:
            raise ValueError("the exponent of a quantity is out of range")
        return _exponent(number.scaleb(int(suffix[1:])))
    return _decimal(number.scaleb(_DECIMAL[suffix]))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_SMALLEST, rounding=ROUND_UP)  # smaller than nano is rounded up


def _binary(value: int) -> str:
    for suffix, factor in reversed(_BINARY.items()):
        if value % factor == 0:
            return f"{value // factor}{suffix}"
    return str(value)


def _decimal(value: Decimal) -> str:
    number, exponent = _reduced(value)
    return f"{number}{next(name for name, power in _DECIMAL.items() if power == exponent)}"


def _exponent(value: Decimal) -> str:
    number, exponent = _reduced(value)
    return f"{number}e{exponent}" if exponent else str(number)


def _reduced(value: Decimal) -> tuple[int, int]:
    """Give an integer and the largest exponent of a thousand's power that keeps it one."""
    value = _rounded(value)
    if not value:
        return 0, 0
    for exponent in sorted(_DECIMAL.values(), reverse=True):
        scaled = value.scaleb(-exponent)
        if scaled == scaled.to_integral_value():
            return int(scaled), exponent
    raise AssertionError("a quantity is a whole number of nano units")  # pragma: no cover
