"""Texts of a repository → the file and line that names an entry, an object or what an error says.

Pure. A reference, or a call of `gopass`, is found by the entry's name; variables of the generators'
environment are put in first, as the script's shell does (`$APPLICATIONSTORE/demo`). A name that a
script puts together in another way is not found, and then nothing is said.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from flux_secret.model.names import ObjectKey
from flux_secret.model.reference import SCHEME, Lookup

_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_LINE: Final = re.compile(r"(?:, document \d+)?(?:, line |: line |:)(\d+)")
_COMMAND: Final = re.compile(r'generator command "([^"\n]+)"|\.flux\.yaml: ([^,\n]+)')
_AROUND: Final = r"[\w/.@-]"  # what would make it another name

Texts = Sequence[tuple[str, str]]
"""(path, text), in the order in which they are looked through."""


class Spot(NamedTuple):
    """A line of a file."""

    file: str
    line: int
    """Counted from 1."""
    text: str
    """As it is written."""


def of_entry(texts: Texts, lookup: Lookup, env: Mapping[str, str]) -> Spot | None:
    """Find the line that asks for an entry; of several, one that names the wanted key as well."""
    name = str(lookup.path)
    asks = re.compile(
        rf"(?:{re.escape(SCHEME)}|(?<!{_AROUND})){re.escape(name)}(?!{_AROUND})"
    )  # fmt: skip
    near = [one for one in texts if lookup.path.parts[-1] in one[1]]
    spots = [spot for spot in _spots(near, env) if asks.search(spot.read) is not None]
    keyed = [one for one in spots if lookup.key and lookup.key in one.read]
    chosen = next(iter(keyed or spots), None)
    return chosen.spot if chosen else None


def of_object(texts: Texts, key: ObjectKey) -> Spot | None:
    """Find the line that gives an object its name, in a document of its kind."""
    kind = re.compile(rf"^kind: *[\"']?{re.escape(key.kind)}[\"']?\s*(?:#.*)?$", re.MULTILINE)
    named = re.compile(rf"\bname: *[\"']?{re.escape(key.name)}[\"']?(?=[\s,}}]|$)")
    for file, text in texts:
        if key.name not in text:  # most files, and quicker than to look at each document
            continue
        at = 1
        for document in re.split(r"(?m)^---.*$", text):
            hit = named.search(document) if kind.search(document) else None
            if hit is not None:
                line = at + document.count("\n", 0, hit.start())
                return Spot(file, line, text.splitlines()[line - 1])
            at += document.count("\n")
    return None


def of_failure(texts: Texts, said: str) -> Spot | None:
    """Find the file that a sentence names, and the line: its own, or the command's in it."""
    known = sorted(texts, key=lambda one: -len(one[0]))
    for file, text in known:
        at = said.find(file)
        if at < 0:
            continue
        rest = said[at + len(file) :]
        number = _LINE.match(rest)
        found = _COMMAND.search(said) if file.endswith(".flux.yaml") and not number else None
        if found is not None:
            return _with(file, text, (found[1] or found[2]).strip().rstrip("…"))
        lines = text.splitlines() or [""]
        line = min(int(number[1]), len(lines)) if number else 1
        return Spot(file, line, lines[line - 1])
    return None


def of_program(texts: Texts, spot: Spot, said: str) -> str:
    """Name the repository's own program that a command of `.flux.yaml` runs; empty for none."""
    found = _COMMAND.search(said)
    words = (found[1] or found[2]).split() if found else []
    folder = spot.file.rpartition("/")[0]
    files = {file for file, _ in texts}
    names = (posixpath.normpath(posixpath.join(folder, word)) for word in words)
    return next((name for name in names if name in files), "")


class _Read(NamedTuple):
    spot: Spot
    read: str
    """With variables put in."""


def _spots(texts: Texts, env: Mapping[str, str]) -> Iterator[_Read]:
    for file, text in texts:
        for number, line in enumerate(text.splitlines(), 1):
            if not line.lstrip().startswith("#"):
                read = _VARIABLE.sub(lambda one: env.get(one[1] or one[2], one[0]), line)
                yield _Read(Spot(file, number, line), re.sub(r"(?<!:)//+", "/", read))


def _with(file: str, text: str, words: str) -> Spot:
    lines = text.splitlines() or [""]
    start = words.split("\n", maxsplit=1)[0]
    numbers = (number for number, line in enumerate(lines, 1) if start in line)
    line = next(numbers, 1)
    return Spot(file, line, lines[line - 1])


def nearest_first(paths: Iterable[str], near: str) -> list[str]:
    """Sort paths by how much of their folders they share with one, the most first."""
    wanted = near.split("/") if near else []

    def distance(path: str) -> tuple[int, int, str]:
        parts = path.split("/")
        shared = 0
        for ours, theirs in zip(parts, wanted, strict=False):
            if ours != theirs:
                break
            shared += 1
        return (-shared, len(parts), path)

    return sorted(paths, key=distance)
