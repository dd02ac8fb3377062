"""A strict reader of iCalendar: whatever RFC 5545 does not allow is an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_LINE: Final = re.compile(r"([A-Z0-9-]+)((?:;[A-Z0-9-]+=[^;:\"\x00-\x1f]+)*):(.*)", re.DOTALL)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UTC: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_DATE: Final = re.compile(r"[0-9]{8}")
_DURATION: Final = re.compile(r"[+-]?P(?:[0-9]+W|[0-9]+D(?:T[0-9HMS]+)?|T[0-9HMS]+)")
_TEXT: Final = re.compile(r"(?:[^\\;,]|\\[\\;,nN])*")
_TEXTS: Final = {"SUMMARY", "DESCRIPTION", "UID", "X-WR-CALNAME", "CATEGORIES"}
_NEEDED: Final = {
    "VCALENDAR": {"PRODID", "VERSION"},
    "VEVENT": {"UID", "DTSTAMP", "DTSTART"},
    "VALARM": {"ACTION", "TRIGGER", "DESCRIPTION"},
}


@dataclass
class Component:
    """A VCALENDAR, a VEVENT or a VALARM."""

    kind: str
    properties: dict[str, str] = field(default_factory=dict)
    """Name → value, unescaped where it is text; with parameters after the name."""
    children: list[Component] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.properties[name]


def read(text: bytes) -> Component:
    """Read one VCALENDAR; raise `AssertionError` for what is not allowed."""
    stack: list[Component] = []
    lines = _unfolded(text)
    for at, line in enumerate(lines):
        match = _LINE.fullmatch(line)
        assert match, line
        assert not _CONTROL.search(line), line
        name, parameters, value = match.groups()
        if name == "BEGIN":
            child = Component(value)
            if stack:
                stack[-1].children.append(child)
            stack.append(child)
        elif name == "END":
            done = stack.pop()
            _check(done, value)
            if not stack:
                assert at == len(lines) - 1
                return done
        else:
            key = name + parameters
            assert key not in stack[-1].properties, key
            stack[-1].properties[key] = _value(name, parameters, value)
    raise AssertionError("it does not end")


def _unfolded(text: bytes) -> list[str]:
    assert text.endswith(b"\r\n")
    lines: list[str] = []
    for raw in text[:-2].split(b"\r\n"):
        assert not {b"\r", b"\n"} & {raw[at : at + 1] for at in range(len(raw))}, raw
        assert len(raw) <= 75, raw
        line = raw.decode()  # folded between characters
        if line[:1] in {" ", "\t"}:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    return lines


def _check(done: Component, ended: str) -> None:
    assert done.kind == ended
    assert _NEEDED[done.kind] <= {one.partition(";")[0] for one in done.properties}, done
    assert done.children or done.kind != "VCALENDAR", "a calendar is never empty (§3.6)"


def _value(name: str, parameters: str, value: str) -> str:
    if name in _TEXTS:
        assert _TEXT.fullmatch(value), value
        return re.sub(r"\\(.)", lambda one: "\n" if one[1] in "nN" else one[1], value)
    if name == "DTSTAMP":
        assert _UTC.fullmatch(value), value
    if name.startswith("DT") and "VALUE=DATE" in parameters:
        assert _DATE.fullmatch(value), value
    if name == "TRIGGER":
        assert _DURATION.fullmatch(value), value
    if name == "SEQUENCE":
        assert value.isdecimal(), value
    return value
