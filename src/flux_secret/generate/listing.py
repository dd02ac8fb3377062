"""Names of entries → the bytes that `gopass ls` and `gopass find` print (version 1.16)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flux_secret.model.names import SecretPath


@dataclass(frozen=True, slots=True)
class Listing:
    """`gopass ls [--flat] [--strip-prefix] [PREFIX]`."""

    prefix: str
    """A folder, or an entry; without slashes at its ends."""
    flat: bool
    strip_prefix: bool

    def render(self, paths: Iterable[SecretPath]) -> str:
        """Print one name a line, or a tree; "" when nothing is there.

        Where a name is a folder and an entry, the folder is meant. A store's mount has no path of
        a machine behind it, as gopass prints at the root: there is none here.
        """
        names = [str(path) for path in paths]
        folder = f"{self.prefix}/" if self.prefix else ""
        below = [name for name in names if name.startswith(folder)]
        if not below:
            return f"{self.prefix}\n" if self.prefix in names else ""
        if self.flat:
            start = len(folder) if self.strip_prefix else 0
            return "".join(f"{name[start:]}\n" for name in below)
        tree = _tree([name[len(folder) :].split("/") for name in below], "")
        return f"{folder or 'gopass'}\n{''.join(tree)}\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """`gopass find TERM`: names that contain it, whatever the case."""

    term: str

    def render(self, paths: Iterable[SecretPath]) -> str:
        """Print one name a line; "" when there is none."""
        wanted = self.term.lower()
        return "".join(f"{path}\n" for path in paths if wanted in str(path).lower())


def _tree(names: Iterable[Sequence[str]], indent: str) -> Iterator[str]:
    """Draw folders and entries as gopass does: sorted bytewise, `/` after a folder's name."""
    below: dict[str, list[Sequence[str]]] = {}
    for first, *rest in names:
        below.setdefault(first, []).append(rest)
    groups = sorted(below.items(), key=lambda item: item[0].encode())
    for number, (label, rests) in enumerate(groups, start=1):
        is_last = number == len(groups)
        inner = [rest for rest in rests if rest]
        ending = "" if not inner else "/" if len(inner) == len(rests) else "/ (shadowed)"
        yield f"{indent}{'└── ' if is_last else '├── '}{label}{ending}\n"
        yield from _tree(inner, indent + ("    " if is_last else "│   "))
