"""What is prepared once → the work of one worker: the rooms of one delivery, connected.

This is the other side of `crew`: the program of the fork server, and what a worker does after it
was forked. Keys are loaded and the API server's certificates read before, once for all workers.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.typing import EventDict, WrappedLogger

from flux_secret.apply.applying import Order
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.apply.elsewhere import Elsewhere
from flux_secret.audit.gathered import Gathered
from flux_secret.errors import BugError, ConfigurationError
from flux_secret.generate.generator import Generator
from flux_secret.model.bounds import Bounds
from flux_secret.model.record import Note
from flux_secret.model.target import Target
from flux_secret.outside import kubernetes
from flux_secret.outside.deadline import Deadline
from flux_secret.outside.kubectl import find_kustomizing_kubectl
from flux_secret.outside.objects import Commit
from flux_secret.outside.sandbox import view
from flux_secret.outside.sandbox.sandbox import Room, Sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workers import cradle
from flux_secret.outside.workshop import Workshops
from flux_secret.reconcile.interface import Checkout
from flux_secret.reconcile.workers import Job, Made, work
from flux_secret.resolve.resolver import Resolver
from flux_secret.settings import ClusterSettings, KeySettings
from flux_secret.store.pinned import OpenedPins, Pins
from flux_secret.wiring.access import connection_of
from flux_secret.wiring.encrypted import opener
from flux_secret.wiring.keys import Keys, load_keys

_LATE: Final = ("encodings.idna", "encodings.utf_8_sig", "flux_secret.source.checkout")
"""What is imported only when it is used, and a job names: `unpacked` would import it."""
_CONNECTIONS: Final = 2
"""To the API server: a handshake takes as long as several small requests."""
_MORE: Final = 16  # objects that are worth another one
_MOST: Final = 16


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all workers of one agent have in common."""

    keys: KeySettings
    cluster: ClusterSettings
    cluster_env: Mapping[str, str]
    options: ApplyOptions
    tool_path: str
    bounds: Bounds
    sandbox: Sandbox | ConfigurationError


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker does."""

    job: Job
    tools: Mapping[str, tuple[str, ...]]
    """What a PATH leads to, as its parent has just looked up."""
    is_recorded: bool = False
    """Whether its parent keeps a record."""


@dataclass(frozen=True, slots=True)
class HomeOfGpg:
    """A worker asks for a GnuPG home, with an agent that outlives it."""

    imported: bool
    """Whether the one with imported keys is meant, or the person's own."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A worker is about to do this: it goes on once it is on the record."""

    notes: Sequence[Note]


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker says how often it has asked the API server, by method."""

    requests: Mapping[str, int]


def main(requests: int, prepared: int, ready: int, held: int) -> None:
    """Be the fork server of workers; `held` is a handle of the agent's `Deadline`."""
    cradle.serve(requests, prepared, ready, partial(_prepare, Deadline(handle=held)))


def _prepare(held: Deadline, given: Prepared) -> cradle.Work:
    # never closed: nothing of it runs in this process, and a worker borrows the agent's gpg
    keys = load_keys(given.keys, given.tool_path, contextlib.AsyncExitStack())
    connection = connection_of(given.cluster, given.cluster_env)
    asyncio.run(_warm_up(given))
    return partial(_work, _Kit(given, keys, connection, kubernetes.context(connection), held))


async def _warm_up(given: Prepared) -> None:
    """Look up and import once what each worker would.

    Which kubectl can be kustomize takes 70 ms of a processor, and what only some manifests or jobs
    need another ten.
    """
    for module in _LATE:
        importlib.import_module(module)
    if isinstance(given.sandbox, Sandbox):
        with contextlib.suppress(ConfigurationError):  # who calls it is told
            await find_kustomizing_kubectl(given.tool_path)
        given.sandbox.confined([], Room((), ()), Path("/"))  # the filter of system calls


@dataclass(frozen=True, slots=True)
class _Kit:
    """What a worker finds when it was forked."""

    given: Prepared
    keys: Keys
    connection: kubernetes.Connection
    trust: ssl.SSLContext | bool
    held: Deadline
    """Until when anything may be written: the agent moves it on."""


async def _work(kit: _Kit, task: Task, parent: cradle.Parent, supervisors: Supervisors) -> Made:
    given, keys, job = kit.given, kit.keys, task.job
    _log_to(parent)
    for gpg, imported in ((keys.home, False), (keys.gpg, True)):
        gpg.borrow(partial(parent.ask, HomeOfGpg(imported=imported and gpg is not keys.home)))
    tools = view.Tools(task.tools)
    workshops = Workshops(given.tool_path, given.sandbox, supervisors, given.bounds, tools)
    if not isinstance(job.pins, Pins):
        raise BugError("a job has no stores")
    limits = _limits(job, kit.held)
    recorder = Gathered(_AskedToRecord(parent)) if task.is_recorded else None
    async with kubernetes.connect(kit.connection, limits, trust=kit.trust) as client:
        stages = _Stages(
            source=_LaidOut(job.checkout),
            stores=OpenedPins(job.pins, Commit, keys.decryptors, recorder),
            generator=Generator(workshops.open, opener(given.keys.age_file, keys, workshops)),
            resolver=Resolver(),
            applier=Elsewhere(client, given.options, job.order, parent.ask, recorder),
        )
        made = await work(job, stages)
        await parent.ask(Asked(client.traffic.requests))
        return made


def _limits(job: Job, held: Deadline) -> kubernetes.Limits:
    objects = len(job.order.inventory.entries) if isinstance(job.order, Order) else 0
    connections = min(_CONNECTIONS + objects // _MORE, _MOST)
    return kubernetes.Limits(connections=connections, seconds_left=held.seconds_left)


@dataclass(frozen=True, slots=True)
class _AskedToRecord:
    """The agent's record, from here."""

    parent: cradle.Parent

    async def write(self, notes: Sequence[Note]) -> None:
        """Return once they are durable; raise `RecordError`."""
        await self.parent.ask(Noted(tuple(notes)))


@dataclass(frozen=True, slots=True)
class _Stages:
    """The rooms of one delivery."""

    source: _LaidOut
    stores: OpenedPins
    generator: Generator
    resolver: Resolver
    applier: Elsewhere


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """What the agent has laid out, and removes."""

    laid_out: Checkout

    @asynccontextmanager
    async def checkout(self, _target: Target) -> AsyncIterator[Checkout]:
        """Give it."""
        yield self.laid_out


def _log_to(parent: cradle.Parent) -> None:
    """Let the agent write this process's log: it has no stream of its own."""

    def told(_logger: WrappedLogger, level: str, line: EventDict) -> EventDict:
        place = f"{Path(line.pop('filename', '?')).name}:{line.pop('lineno', 0)}"
        parent.log(level, {"caller": place, **line})
        raise structlog.DropEvent

    callsite = CallsiteParameterAdder({CallsiteParameter.FILENAME, CallsiteParameter.LINENO})
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        processors=[callsite, told],
    )
