"""What finding out why needs of the stages, and of those who know where things are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Read, Revision
from flux_secret.model.manifest import Bundle
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Target
from flux_secret.model.why import Touched
from flux_secret.reconcile.interface import (
    Applies,
    Checkouts,
    GenerateStage,
    Readers,
    ResolveStage,
)
from flux_secret.reconcile.why.seen import EntryFacts, KeyFacts, Use


class Holders(Protocol):
    """Says which Secrets hold which values."""

    def __call__(
        self, bundle: Bundle, handed_out: Sequence[tuple[Lookup, Plaintext]]
    ) -> Mapping[SecretPath, tuple[ObjectKey, ...]]:
        """Give the Secrets of each entry; no value leaves."""


class Repository(Protocol):
    """A pinned commit of an application repository."""

    def texts(self, near: str) -> Sequence[tuple[str, str]]:
        """Give (path, text) of its text files, those nearest to a path first, within bounds."""

    async def touched(self, file: str, line: int | None) -> Touched | None:
        """Say which commit changed a line, a file (no line) or anything (no file) last."""


class Entries(Protocol):
    """The stores, for facts that need no key; and the key's own."""

    async def facts(
        self, target: Target, path: SecretPath, read: Read | None, revision: Revision | None
    ) -> EntryFacts:
        """Say what is known of an entry; `read` is how it was asked for, if it was."""

    async def key(self) -> KeyFacts:
        """Say which keys decrypt."""


class Users(Protocol):
    """The pods that use Secrets."""

    async def of(self, secrets: Collection[ObjectKey]) -> Sequence[Use]:
        """Look at the workloads that use them; raise what the API server refuses."""


class TraceStages(Protocol):
    """The stages of a delivery that writes nothing."""

    @property
    def source(self) -> Checkouts:
        """Where applications come from."""

    @property
    def stores(self) -> Readers:
        """Where values come from."""

    @property
    def generator(self) -> GenerateStage:
        """What makes manifests."""

    @property
    def resolver(self) -> ResolveStage:
        """What fills in values."""

    @property
    def applier(self) -> Applies:
        """What says what would become of the cluster, and writes nothing."""


class Around(Protocol):
    """Who knows what a trace does not say."""

    @property
    def entries(self) -> Entries:
        """The stores and keys."""

    @property
    def users(self) -> Users:
        """The pods."""

    @property
    def cluster_error(self) -> FluxSecretError | None:
        """Why no cluster is known at all."""

    @property
    def unseen(self) -> Sequence[str]:
        """What could not be looked at, in sentences."""

    def repository(self, target: Target, commit: str) -> Repository:
        """Open a target's repository at a commit."""
