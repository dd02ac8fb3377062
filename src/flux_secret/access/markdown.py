"""Comparison → Markdown for a pull request; no name breaks out of its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from flux_secret.access.diff import Change, Comparison

_SHOWN: Final = 20  # names of one line; the number says how many there are
_NAMED: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_PLAIN: Final = frozenset(" .,:;/@+-=()'→…")


def markdown(found: Comparison, what: str) -> str:
    """Write it; `what` names the change."""
    lines = [f"### Access to secrets: {_text(what)}", ""]
    if found.somebody_gains:
        lines += ["**Somebody gains.** Let the owners look before this is merged.", ""]
    elif found.findings:
        lines += ["**It cannot be told whether somebody gains.** Look at what is wrong below.", ""]
    else:
        lines += ["Nobody gains.", ""]
    lines += _table("Gained", found.gained)
    lines += _list("Fewer have to agree", map(_text, found.weaker))
    lines += _table("Lost", found.lost)
    lines += _list("Moved or copied", (f"{_code(of)} → {_code(to)}" for of, to in found.moved))
    lines += _list("New entries", (
        f"{_code(name)}: {', '.join(map(_text, who)) or 'nobody is named'}"
        for name, who in found.new
    ))  # fmt: skip
    lines += _list("Removed entries", _codes(found.removed))
    lines += _list("To look at", map(_text, found.findings))
    return "\n".join(lines).rstrip()


def _table(title: str, changes: Sequence[Change]) -> Iterator[str]:
    if changes:
        yield from (f"#### {title}", "", "| who | what | entries | why |", "|---|---|---|---|")
        for one in changes:
            names = ", ".join(_codes(one.entries))
            count = f"{len(one.entries)}: " if len(one.entries) > 1 else ""
            yield f"| {_text(one.who)} | {one.what} | {count}{names} | {_text(one.because)} |"
        yield ""


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = [*lines]
    if found:
        yield from (f"#### {title}", "", *(f"- {line}" for line in found), "")


def _codes(names: Sequence[str]) -> Iterator[str]:
    yield from map(_code, names[:_SHOWN])
    if len(names) > _SHOWN:
        yield f"and {len(names) - _SHOWN} more"


def _text(text: object) -> str:
    """Write text in which nothing means anything to Markdown, a table or HTML."""
    return "".join(
        char if (char.isalnum() and char.isascii()) or char in _PLAIN else _entity(char)
        for char in str(text)
    )


def _code(text: object) -> str:
    """Write the same as a name; a code span has no way to escape a backtick."""
    return f"<code>{_text(text)}</code>"


def _entity(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if not char.isprintable():
        return ascii(char)[1:-1].replace("\\", "&#92;")
    return f"&#{ord(char)};"
