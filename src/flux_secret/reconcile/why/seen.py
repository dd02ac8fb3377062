"""What was seen of a target on the way from its commit to its pods; no value is in it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Delivery, HeldBack, Read
from flux_secret.model.manifest import Origin
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.report import AppReport
from flux_secret.model.why import Place, Touched


class Step(enum.Enum):
    """The steps of a delivery, in their order."""

    SOURCE = "source"
    STORES = "stores"
    GENERATE = "generate"
    RESOLVE = "resolve"
    APPLY = "apply"


@dataclass(slots=True)
class Trace:
    """A delivery without effect, filled in place."""

    delivery: Delivery
    stopped: Step | None = None
    """Where it raised."""
    origins: dict[ObjectKey, Origin] = field(default_factory=dict)
    """Every object that the target makes, as its manifest names it."""
    holders: dict[SecretPath, tuple[ObjectKey, ...]] = field(default_factory=dict)
    """Which Secrets hold the value of which entry."""
    rewound: FluxSecretError | None = None
    """Why a store's newest commit is not what is read."""
    held: tuple[HeldBack, ...] = ()
    """Changes of stores that wait for their owners."""

    @property
    def has_objects(self) -> bool:
        """Whether it came so far that all its objects are known."""
        return self.stopped not in {Step.SOURCE, Step.STORES, Step.GENERATE}

    @property
    def failed_read(self) -> Read | None:
        """The first question to a store that was not answered."""
        return next((read for read in self.delivery.reads if read.error is not None), None)


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """What a store's pinned commit says of an entry; nothing was decrypted for it."""

    path: SecretPath
    store: str
    """The mount's name; empty where no store of that name may be read."""
    file: str = ""
    """Its file in the store; empty when there is none."""
    commit: str = ""
    touched: Touched | None = None
    recipients: tuple[str, ...] = ()
    """Key ids that the message names, 16 hex digits each."""
    wanted: tuple[str, ...] = ()
    """Whom its recipients file names."""
    recipients_file: str = ""
    near: tuple[str, ...] = ()
    """Entries, or stores, of a like name."""
    good: str = ""
    """The newest commit whose version of it opens; empty where none does, or none was tried."""
    url: str = ""
    """Where the store is."""
    clone: str = ""
    """The folder where this person has the store; empty when they have none."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The keys that are asked to decrypt."""

    where: str
    """`flux.asc`, or the GnuPG home."""
    ids: tuple[str, ...] = ()
    error: FluxSecretError | None = None
    """Why they cannot be used at all."""


class Use(Protocol):
    """A workload that uses a Secret, and how many of its pods were made before that changed."""

    @property
    def secret(self) -> ObjectKey:
        """The Secret."""

    @property
    def workload(self) -> ObjectKey:
        """Who uses it."""

    @property
    def old(self) -> int:
        """Its older pods."""

    @property
    def unsure(self) -> int:
        """Its pods of which the times of both do not tell."""

    @property
    def pods(self) -> int:
        """All of its pods."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where it is written, as far as it was found."""

    commit: Place
    """The pinned commit, without a file."""
    reads: Mapping[SecretPath, Place] = field(default_factory=dict)
    objects: Mapping[ObjectKey, Place] = field(default_factory=dict)
    failure: Place | None = None
    """What the error names."""
    program: Place | None = None
    """The repository's own program that the command runs which the error names."""


@dataclass(frozen=True, slots=True)
class Again:
    """How a person delivers once more: by an App of the cluster, or with the same flags."""

    app: str = ""
    """`NAMESPACE/NAME` of an App."""
    flags: str = ""
    """As a shell takes them."""
    agent_namespace: str = "flux"
    known_hosts: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that a chain is made of."""

    trace: Trace
    places: Places
    entries: Mapping[SecretPath, EntryFacts]
    key: KeyFacts
    again: Again
    pods: Sequence[Use] = ()
    pods_error: FluxSecretError | None = None
    report: AppReport | None = None
    """What an agent says of it."""
    unseen: tuple[str, ...] = ()
    """What could not be looked at, in sentences."""
