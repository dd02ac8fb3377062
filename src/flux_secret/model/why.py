"""The chain from a commit to pods, link by link: what `flux-secret why` says; never a value.

commit → file and line → entry → recipients → key → object → pods
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class LinkKind(enum.StrEnum):
    """What a link is, in the order of the chain."""

    COMMIT = "commit"
    FILE = "file"
    ENTRY = "entry"
    RECIPIENTS = "recipients"
    KEY = "key"
    OBJECT = "object"
    PODS = "pods"


ORDER: Final = tuple(LinkKind)
FOUND: Final = 1
"""The exit code of a break that is no error of ours: something is not done yet, or is old."""


class State(enum.StrEnum):
    """How a link is."""

    WHOLE = "whole"
    BROKEN = "broken"
    UNSEEN = "unseen"
    """It was not looked at, or cannot be seen from here: the reason says which."""


@dataclass(frozen=True, slots=True)
class Touched:
    """The commit that changed a line or a file last."""

    commit: str
    author: str = ""
    when: str = ""
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: a file of a repository at a commit."""

    repository: str
    """Its address, or a store's name."""
    commit: str = ""
    """The pinned one."""
    file: str = ""
    line: int | None = None
    """Counted from 1; None for the whole file."""
    touched: Touched | None = None

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        if not self.touched:
            return where
        by = ", ".join(filter(None, (self.touched.author, self.touched.when[:10])))
        at = f"{self.touched.commit[:8]}{f' ({by})' if by else ''}"
        return f"{where} since {at}" if where else at


@dataclass(frozen=True, slots=True)
class Link:
    """One link."""

    kind: LinkKind
    name: str
    """`apps/demo`, `secret/demo-secret in dev-demo`."""
    state: State = State.WHOLE
    place: Place | None = None
    reason: str = ""
    """What is so: of a broken link why, of a whole one what was seen."""
    remedy: str = ""
    """What to do, in words."""
    commands: tuple[str, ...] = ()
    """The same as lines for a shell; in a clone of the repository where they change a file."""
    exit_code: int = 0
    """Of a broken link: as everywhere (design §6), or `FOUND`."""

    def to_json(self) -> Mapping[str, Any]:
        """Give it for programs."""
        place = self.place
        touched = place.touched if place else None
        return {
            "kind": self.kind.value, "name": self.name, "state": self.state.value,
            "place": place and {
                "repository": place.repository, "commit": place.commit, "file": place.file,
                "line": place.line,
                "changed": touched and {
                    "commit": touched.commit, "author": touched.author, "date": touched.when,
                },
            },
            "reason": self.reason, "remedy": self.remedy, "commands": list(self.commands),
            "exitCode": self.exit_code,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chain:
    """All links of one subject in one target."""

    subject: str
    target: str
    links: tuple[Link, ...]
    unseen: tuple[str, ...] = ()
    """What cannot be seen from here, in sentences."""

    @property
    def broken(self) -> Link | None:
        """The first broken link."""
        return next((link for link in self.links if link.state is State.BROKEN), None)

    @property
    def exit_code(self) -> int:
        """0 when it is whole; else the first break's own."""
        return self.broken.exit_code or FOUND if self.broken else 0

    def to_json(self) -> Mapping[str, Any]:
        """Give it for programs."""
        return {
            "subject": self.subject, "target": self.target, "whole": self.broken is None,
            "broken": self.broken and self.broken.kind.value,
            "links": [link.to_json() for link in self.links], "unseen": list(self.unseen),
        }  # fmt: skip


def in_order(links: Iterable[Link]) -> tuple[Link, ...]:
    """Sort links by the chain's order; those of one kind stay as they are, each once."""
    listed: Sequence[Link] = tuple(dict.fromkeys(links))
    return tuple(sorted(listed, key=lambda link: ORDER.index(link.kind)))
