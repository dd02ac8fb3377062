"""Target → Seen: a trace, and what those around know of the entries, objects and pods in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import Action
from flux_secret.model.delivery import Read
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.report import AppReport
from flux_secret.model.target import Target
from flux_secret.model.why import Place
from flux_secret.reconcile.why import places
from flux_secret.reconcile.why.interface import Around, Holders, Repository, TraceStages
from flux_secret.reconcile.why.places import Spot, Texts
from flux_secret.reconcile.why.seen import Again, Places, Seen, Step, Trace, Use
from flux_secret.reconcile.why.subject import Subject
from flux_secret.reconcile.why.trace import trace

_Name = TypeVar("_Name", SecretPath, ObjectKey)
_READY = {Action.UNCHANGED, Action.CONFIGURED, Action.SKIPPED}


async def look(
    target: Target, stages: TraceStages, holders: Holders, around: Around, subject: Subject
) -> tuple[Trace, Places, Texts]:
    """Trace a target, and find where what matters of it is written."""
    found = await trace(target, stages, holders)
    delivery = found.delivery
    if found.stopped is Step.APPLY and around.cluster_error is not None:
        delivery.error = around.cluster_error
    commit = delivery.revision.commit if delivery.revision else ""
    pinned = Place(str(target.source.url), commit)
    if not commit:
        return found, Places(pinned), ()
    if target.inline:  # its manifest stands in the cluster
        return found, Places(Place("the cluster", file=target.app)), ()
    repository = around.repository(target, commit)
    texts = repository.texts(target.path)
    written = _Written(repository, pinned, texts)
    failed = _of_failure(found, texts)
    reads = _asked(delivery.reads)
    env = target.generation.env
    where = Places(
        Place(pinned.repository, commit, touched=await repository.touched("", None)),
        await written.all({
            path: places.of_entry(texts, one.lookup, env) for path, one in reads.items()
        }),
        await written.all({key: places.of_object(texts, key) for key in _keys(found, subject)}),
        await written.one(failed),
        await written.program(failed, delivery.error),
    )  # fmt: skip
    return found, where, texts


async def seen(
    found: Trace, where: Places, around: Around, again: Again, report: AppReport | None
) -> Seen:
    """Ask those around about what was found."""
    delivery = found.delivery
    facts = {
        path: await around.entries.facts(delivery.target, path, read, delivery.revision)
        for path, read in _asked(delivery.reads).items()
    }
    pods, error = await _pods(found, around)
    key = await around.entries.key()
    return Seen(found, where, facts, key, again, pods, error, report, tuple(around.unseen))


def _asked(reads: Sequence[Read]) -> Mapping[SecretPath, Read]:
    """Give each entry's question: the one that failed, else the first."""
    found: dict[SecretPath, Read] = {}
    for read in reads:
        known = found.get(read.lookup.path)
        if known is None or (known.error is None and read.error is not None):
            found[read.lookup.path] = read
    return found


async def _pods(found: Trace, around: Around) -> tuple[Sequence[Use], FluxSecretError | None]:
    secrets = [
        change.key
        for change in found.delivery.changes
        if change.action in _READY and (change.key.group, change.key.kind) == ("", "Secret")
    ]
    if not secrets or found.stopped is not None:
        return (), None
    try:
        return await around.users.of(secrets), None
    except FluxSecretError as failure:
        return (), failure


def _keys(found: Trace, subject: Subject) -> Sequence[ObjectKey]:
    """Give the objects whose places matter: what is asked about, and what failed."""
    failed = [change.key for change in found.delivery.changes if change.error is not None]
    asked = [key for key in found.origins if subject.is_about(key)]
    late = [
        change.key for change in found.delivery.changes
        if change.action in {Action.CREATED, Action.CONFIGURED} or subject.is_about(change.key)
    ]  # fmt: skip
    return tuple(dict.fromkeys([*failed, *asked, *late]))[:50]


def _of_failure(found: Trace, texts: Texts) -> Spot | None:
    error = found.delivery.error
    if error is None or found.stopped not in {Step.GENERATE, Step.RESOLVE}:
        return None
    return places.of_failure(texts, error.what)


class _Written:
    """Spots → places, with the commit that wrote each."""

    def __init__(self, repository: Repository, pinned: Place, texts: Texts) -> None:
        self._repository = repository
        self._pinned = pinned
        self.texts = texts

    async def one(self, spot: Spot | None) -> Place | None:
        """Give the place of a spot."""
        if spot is None:
            return None
        touched = await self._repository.touched(spot.file, spot.line)
        pinned = self._pinned
        return Place(pinned.repository, pinned.commit, spot.file, spot.line, touched)

    async def program(self, spot: Spot | None, error: FluxSecretError | None) -> Place | None:
        """Give the program of the command that an error names."""
        file = places.of_program(self.texts, spot, error.what) if spot and error else ""
        if not file:
            return None
        touched = await self._repository.touched(file, None)
        return Place(self._pinned.repository, self._pinned.commit, file, touched=touched)

    async def all(self, spots: Mapping[_Name, Spot | None]) -> Mapping[_Name, Place]:
        """Give those that were found."""
        made = {name: await self.one(spot) for name, spot in spots.items()}
        return {name: place for name, place in made.items() if place is not None}
