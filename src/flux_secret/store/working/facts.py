"""What a store looks like to somebody who checks it: facts, no opinions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flux_secret.store.interface import Form, Layout, Reader
from flux_secret.store.tree import GPG
from flux_secret.store.working.audience import RIGHT, Verdict
from flux_secret.store.working.exports import Kept
from flux_secret.store.working.past import Past


@dataclass(frozen=True, slots=True)
class EntryFact:
    """One entry."""

    name: str
    file: str
    """Its own file, below the root; of a link, the link."""
    target: str
    """Where a link leads to; the same as `file` for others, "" for a link that leads nowhere."""
    recipients: str
    """The recipients file that counts for what it leads to; "" where there is none."""
    verdict: Verdict = RIGHT
    form: Form = Form.MESSAGE
    past: Past = Past.SAME
    problem: str = ""
    """Why its file, or its link, cannot be read."""


@dataclass(frozen=True, slots=True)
class RecipientsFact:
    """One recipients file."""

    folder: str
    file: str
    readers: tuple[Reader, ...] = ()
    ids: tuple[str, ...] = ()
    text: bytes = b""
    problem: str = ""
    """Why it cannot be used."""


@dataclass(frozen=True, slots=True)
class GitFact:
    """The state of the repository."""

    unfinished: str = ""
    """What somebody has begun and not ended."""
    uncommitted: tuple[str, ...] = ()
    interrupted: bool = False
    """Whether a change of ours was killed."""
    is_linked: bool = False
    """Whether `.git` is a file that leads elsewhere."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a check looks at."""

    now: int
    """Seconds since the epoch."""
    root: str
    mount: str = ""
    layout: Layout = GPG
    entries: Sequence[EntryFact] = ()
    recipients: Sequence[RecipientsFact] = ()
    weak: Mapping[str, str] = field(default_factory=dict)
    """Recipient → why their key should not be used for long."""
    exports: Sequence[Kept] = ()
    exported: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """File of `.public-keys` → the key ids in it."""
    files: Sequence[str] = ()
    """Every file that is no entry and no folder."""
    open_files: Sequence[str] = ()
    """What others than the owner can reach; "" is the root."""
    config: Mapping[str, str] = field(default_factory=dict)
    """The store's own gopass configuration, which is versioned."""
    pins_recipients: bool = False
    """Whether the person's gopass checks the recipients of this store."""
    git: GitFact | None = GitFact()
    """None for a plain folder."""
    undecrypted: Mapping[str, str] = field(default_factory=dict)
    """Entry → why it does not decrypt, of those that were tried."""
