"""How far a branch was delivered: the marker, the commits since, and what people should know."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from flux_secret.errors import FluxSecretError
from flux_secret.model.target import Source


class Verification(enum.Enum):
    """Which commits must be signed: Flux v1's `--git-verify-signatures-mode`."""

    NONE = "none"
    ALL = "all"
    FIRST_PARENT = "first-parent"


@dataclass(frozen=True, slots=True)
class CommitLine:
    """A commit, and the first line of its message as people wrote it."""

    revision: str
    message: str


@dataclass(frozen=True, slots=True)
class Sync:
    """What one round did with one branch of one application repository."""

    source: Source
    commit: str
    """What was delivered."""
    head: str
    """The branch's newest commit; another one when it is not signed as it must be."""
    since: str | None = None
    """Where the marker stood before: everything up to there had been delivered; None at first."""
    commits: tuple[CommitLine, ...] = ()
    """What is new since then, the newest first."""
    more: bool = False
    """Whether there are more such commits than are listed."""
    marker: str | None = None
    """Where the marker stands now; None when nobody keeps one, or when it is not known."""
    notes: tuple[str, ...] = ()
    error: FluxSecretError | None = None
    """Why the marker could not be read or moved; what was delivered is delivered all the same."""

    @property
    def initial(self) -> bool:
        """Whether nothing is known to have been delivered before."""
        return self.since is None
