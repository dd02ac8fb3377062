"""What the HTTP server needs of the agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flux_secret.model.health import Check
from flux_secret.model.identity import DeployKey
from flux_secret.model.report import AppReport
from flux_secret.model.workload import Workload


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """How one target's last delivery ended."""

    target: str
    revision: str
    """`APPLICATION-COMMIT+STORE@COMMIT…`; empty when it did not come that far."""
    error: str = ""
    """What went wrong and the remedy; never a value."""
    changes: Sequence[str] = ()
    """`deployment/demo configured`, a line each."""
    notes: Sequence[str] = ()
    """What to look at though nothing failed; never a value."""
    removed: bool = False
    """Whether it was removed, since nobody configures it any more."""


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """How one round ended."""

    exit_code: int
    commit: str
    """The application repository's commit that was delivered; empty when none could be."""
    targets: Sequence[TargetOutcome] = ()
    error: str = ""
    """Every reason, a line each; empty when all was delivered."""
    head: str = ""
    """The branch's newest commit: another one where that is not signed as it must be."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The application repository, as `fluxctl identity` and `sync` show it."""

    url: str
    branch: str
    path: str
    key: DeployKey = field(default_factory=DeployKey)


class Polls(Protocol):
    """What looks for new commits."""

    @property
    def repositories(self) -> Collection[str]:
        """The addresses where it looks, as they were configured: of applications and of stores."""

    def hint(self, urls: Collection[str] = ()) -> None:
        """Look for new commits now: in these `repositories`, or in all where none is named."""


class Healthy(Protocol):
    """What knows how the agent is; its words are for everybody."""

    def live(self) -> Sequence[Check]:
        """Say whether a restart would help: something failed that only a restart mends."""

    def ready(self) -> Sequence[Check]:
        """Say whether it does what it is there for."""


class Agent(Protocol):
    """The running agent."""

    @property
    def repository(self) -> Repository:
        """What it delivers from."""

    async def sync(
        self, confirmed: Collection[str] = (), *, begun: Callable[[], None] = lambda: None
    ) -> SyncOutcome:
        """Do a round, everything made anew; raise `FluxSecretError` when none can be done.

        `confirmed` are the tokens of held changes that a person lets through; `begun` is called
        when the round begins.
        """

    def hint(self) -> None:
        """Look for new commits now."""

    def reports(self) -> Sequence[AppReport]:
        """Say how each App stands."""

    async def workloads(self, namespace: str) -> Sequence[Workload]:
        """Give what runs pods in a namespace, `""` for all; raise `FluxSecretError`."""

    async def export(self) -> bytes:
        """Give what was delivered and holds no value, as YAML; raise `FluxSecretError`."""


Metrics = Callable[[], bytes]
"""Gives the metrics in Prometheus' text format."""
Sleep = Callable[[float], Awaitable[None]]
