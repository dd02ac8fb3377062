"""What the HTTP server needs of the agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """How one round ended."""

    exit_code: int
    commit: str
    """The application repository's commit that was delivered; empty when none could be."""
    targets: Sequence[TargetOutcome] = ()
    error: str = ""
    """Every reason, a line each; empty when all was delivered."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One object that runs pods, as the last delivery made it."""

    namespace: str
    kind: str
    name: str
    containers: Sequence[tuple[str, str]] = ()
    """(name, image)."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """The application repository, as `fluxctl identity` and `sync` show it."""

    url: str
    branch: str
    path: str
    public_key: str = ""
    fingerprints: dict[str, str] = field(default_factory=dict)


class Agent(Protocol):
    """The running agent."""

    @property
    def repository(self) -> Repository:
        """What it delivers from."""

    async def sync(self, confirmed: Collection[str] = ()) -> SyncOutcome:
        """Do a round, everything made anew; raise `FluxSecretError` when none can be done.

        `confirmed` are the tokens of held changes that a person lets through.
        """

    def hint(self) -> None:
        """Look for new commits now."""

    def workloads(self, namespace: str) -> Sequence[Workload]:
        """Give what runs pods in a namespace; `""` for all."""


Metrics = Callable[[], bytes]
"""Gives the metrics in Prometheus' text format."""
Sleep = Callable[[float], Awaitable[None]]
