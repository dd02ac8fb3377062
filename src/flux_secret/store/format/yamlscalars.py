"""A YAML scalar → what yaml.v3 takes it for, and back to text as Go prints and as yaml.v3 writes.

yaml.v3 mixes YAML 1.1 and 1.2: `yes` and `on` stay text, `0123` is octal, dates are timestamps,
numbers beyond 64 bits are floats (facts: gopass §3.2; yaml.v3 `resolve.go`).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias


class YamlBodyError(ValueError):
    """This text is no mapping that gopass would take for YAML; it is read as AKV instead."""


@dataclass(frozen=True, slots=True)
class GoTime:
    """A point in time, in the two forms that Go has for it."""

    printed: str = field(repr=False)
    """By `%v`: `2001-01-23 10:00:00 +0000 UTC`."""
    written: str = field(repr=False)
    """By yaml.v3: `2001-01-23T10:00:00Z`."""


Scalar: TypeAlias = "bool | int | float | GoTime | str | None"

_TAG: Final = "tag:yaml.org,2002:"
_NAMED: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INT: Final = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]{0,19}))"
)
_BASES: Final = (16, 2, 8, 10)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:([Tt ])(\d\d?):(\d\d?):(\d\d?)(?:[.,](\d+))?"
    r"(Z|([-+])(\d\d):(\d\d))?)?",
    re.ASCII,
)
_MIN_INT, _MAX_UINT = -(2**63), 2**64
# yaml.v3 writes these in quotes, for readers of YAML 1.1
_OLD: Final = frozenset(
    form
    for word in ("y", "n", "yes", "no", "on", "off")
    for form in (word, word.capitalize(), word.upper())
)
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


def resolve(text: str) -> Scalar:
    """Give the meaning of a scalar that has neither quotes nor a tag."""
    if text in _NAMED:
        return _NAMED[text]
    if text[0] not in "+-.0123456789":
        return text
    if text[0] != ".":
        time = _time(text)
        if time is not None:
            return time
        text_without = text.replace("_", "")
        number = _int(text_without)
        if number is not None:
            return number
    else:
        text_without = text
    if _FLOAT.fullmatch(text_without):
        found = float(text_without)
        if abs(found) != float("inf"):  # out of range is text, as strconv has it
            return found
    return text


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Give the meaning of a scalar with a tag of its own; raise `YamlBodyError` as yaml.v3 does."""
    kind = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
    if kind == "binary":
        try:
            decoded = base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
        except binascii.Error:
            raise YamlBodyError("no base64") from None
        return decoded.decode(errors="surrogateescape")
    wanted: tuple[type, ...] | None = {
        "bool": (bool,), "int": (int,), "float": (float, int), "null": (type(None),),
        "timestamp": (GoTime,),
    }.get(kind)  # fmt: skip
    if wanted is None:  # a string, or a tag that says nothing to yaml.v3
        return text
    value = resolve(text)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
        raise YamlBodyError(f"no {kind}")
    return float(value) if kind == "float" and isinstance(value, int) else value


def written(value: Scalar) -> str:
    """Give the text that yaml.v3 writes for it, before quotes."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if value != value or abs(value) == float("inf"):  # noqa: PLR0124 -- NaN
            return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}[printed(value)]
        case GoTime():
            return value.written
        case _:
            return printed(value)


def printed(value: Scalar) -> str:
    """Give the text that Go's `%v` makes of it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return _go_float(value)
        case GoTime():
            return value.printed
        case _:
            return str(value)


def is_plain(text: str) -> bool:
    """Whether yaml.v3 writes this string without quotes, as far as its meaning goes."""
    return isinstance(resolve(text), str) and text not in _OLD and not _BASE_60.fullmatch(text)


def _int(text: str) -> int | None:
    match = _INT.fullmatch(text)
    if match is None:
        return None
    digits, base = next(
        (digits, base)
        for digits, base in zip(match.groups()[1:], _BASES, strict=True)
        if digits is not None
    )
    number = int(digits, base) * (-1 if match[1] == "-" else 1)
    return number if _MIN_INT <= number < _MAX_UINT and _fits(match[1], number) else None


def _fits(sign: str, number: int) -> bool:
    """Above 63 bits Go tries again without a sign: `ParseUint` takes none."""
    return number < -_MIN_INT or not sign


def _time(text: str) -> GoTime | None:
    match = _TIME.fullmatch(text)
    if match is None or (match[4] is not None and (match[4] == " ") != (match[9] is None)):
        return None
    numbers = [int(number or 0) for number in match.group(1, 2, 3, 5, 6, 7)]
    try:
        moment = dt.datetime(*numbers)  # type: ignore[arg-type]  # noqa: DTZ001 -- the zone is text
    except ValueError:
        return None
    fraction = (match[8] or "")[:9].rstrip("0")
    day, clock = f"{numbers[0]:04}-{moment:%m-%d}", f"{moment:%H:%M:%S}"
    clock += f".{fraction}" if fraction else ""
    hours, minutes = match[11] or "00", match[12] or "00"
    if hours == minutes == "00":
        return GoTime(f"{day} {clock} +0000 UTC", f"{day}T{clock}Z")
    zone = f"{match[10]}{hours}{minutes}"
    return GoTime(f"{day} {clock} {zone} {zone}", f"{day}T{clock}{match[10]}{hours}:{minutes}")


def _go_float(value: float) -> str:
    """Print as Go's `%v` does: the shortest digits, an exponent below -4 and from 6 on."""
    if value != value:  # noqa: PLR0124 -- NaN is the one value that differs from itself
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    number = decimal.Decimal(repr(value)).normalize()
    exponent = number.adjusted()
    if -4 <= exponent < 6:  # noqa: PLR2004 -- strconv's own numbers for the shortest form
        return f"{number:f}"
    sign, digits, _ = number.as_tuple()
    first, rest = digits[0], "".join(map(str, digits[1:]))
    return f"{'-' if sign else ''}{first}{'.' if rest else ''}{rest}e{exponent:+03d}"
