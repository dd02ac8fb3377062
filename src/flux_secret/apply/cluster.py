"""What applying and sweeping share: served kinds, our key, our lists, reading what is there."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from flux_secret.apply.digest import DigestKey
from flux_secret.apply.ledger import Ledger
from flux_secret.apply.payload import PART_OF
from flux_secret.apply.state import digest_key
from flux_secret.errors import ObjectError
from flux_secret.model.flux_v1 import SyncSet
from flux_secret.model.names import ObjectKey
from flux_secret.model.record import Recorder, Unrecorded
from flux_secret.outside.kubernetes import Client, Kinds, LiveObject, ServedKind

Result = TypeVar("Result")

DRY: Final = "dry run"
"""What is said of a change that was only looked at."""
WORTH_A_LIST: Final = 3
"""Objects of one kind in one namespace that are read with one list instead of a GET each."""


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """What a person decided about applying."""

    agent_namespace: str = "flux"
    """Where inventories and our key lie; made when missing."""
    adopt_existing: bool = False
    """`--adopt-existing`: take over what was there before us, openly."""
    daemon: SyncSet | None = None
    """The daemon of Flux v1 whose place we take."""
    excluded_resources: tuple[str, ...] = ()
    """`--k8s-unsafe-exclude-resource`: kinds that are not listed when marks are looked for."""
    confirmations: frozenset[str] = frozenset()
    """`--confirm TOKEN`, from the start on."""
    concurrent_requests: int = 16
    """16 at once gave twice the throughput of one at a time (facts/dependencies.md)."""
    established_seconds: float = 60.0
    """How long a CustomResourceDefinition may take before its instances fail."""
    heeds_ignore: bool = True
    """Whether `ignore` annotations count: they are for the agent, not for who installs it."""
    dry: bool = False
    """Whether only to say what would be done; not even our key is written."""
    tries: bool = False
    """When `dry`: whether the API server is asked what it would refuse."""
    handover_seconds: float = 0.0
    """How long another App may take over what left one; 0: nobody waits (`patience`)."""
    fresh_seconds: float = 0.0
    """How long what was read of the cluster counts for the rounds that begin after it.

    0: each round reads anew, as a sync of Flux v1 does. Many small rounds at once would ask the
    same again and again."""


@dataclass(frozen=True, slots=True)
class Sought:
    """An object to be read."""

    key: ObjectKey
    kind: ServedKind | None
    """None when the kind is not served (yet): then there is no such object."""
    listed: bool
    """Whether we own it already, so that a list by our label will show it."""


Lister: TypeAlias = Callable[
    [ServedKind, str, Sequence[Sought]], Awaitable[Mapping[str, LiveObject]]
]
"""(kind, namespace, what is sought there) → what a list of that kind shows, by name."""


@dataclass(slots=True)
class Found:
    """What was read."""

    live: dict[ObjectKey, LiveObject | None] = field(default_factory=dict)
    failed: dict[ObjectKey, ObjectError] = field(default_factory=dict)
    """Objects that could not be read, each on its own."""


async def together(*reads: Awaitable[None]) -> None:
    """Wait for reads at once; the first failure ends the others, which nobody needs any more."""
    tasks = [asyncio.ensure_future(read) for read in reads]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Cluster:
    """One API server, as it was when it was last looked at."""

    def __init__(
        self,
        client: Client,
        options: ApplyOptions,
        clock: Callable[[], float] = time.monotonic,
        recorder: Recorder | None = None,
    ) -> None:
        self.recorder = recorder or Unrecorded()
        """Has what is going to be done before it is, and what came of it."""
        self.client = client
        """In whose name objects of targets are read and written."""
        self.options = options
        self.confirmed = set(options.confirmations)
        """Tokens; each stands for one revision and one list of objects, so none goes stale."""
        self.ledger = Ledger(client, options.agent_namespace)
        self._slots = asyncio.Semaphore(options.concurrent_requests)
        self._opening = asyncio.Lock()
        self._kinds: Kinds | None = None
        self._key: DigestKey | None = None
        self._clock = clock
        self._looked: float | None = None
        """When somebody began to look, on the clock; None when it is to be looked at anew."""

    def acting_as(self, account: str) -> Cluster:
        """Give the same in the name of a service account, `NAMESPACE:NAME`; empty: this one.

        What is ours (lists, our key) and what is served stays asked in our own name.
        """
        if not account:
            return self
        return _Acting(self, self.client.acting_as(account))

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        """Give what is served, asked once a round."""
        async with self._opening:
            if refresh or self._kinds is None:
                self._kinds = await self.client.kinds()
            return self._kinds

    def learn(self, kinds: Kinds) -> None:
        """Know what somebody else has just asked."""
        self._kinds = kinds

    async def key(self) -> DigestKey:
        """Give our persistent key, read once."""
        async with self._opening:
            if self._key is None:
                namespace, make = self.options.agent_namespace, not self.options.dry
                self._key = await digest_key(self.client, namespace, make=make)
            return self._key

    def begin(self) -> bool:
        """Begin a round; say whether what was read before is too old for it."""
        now = self._clock()
        if self._looked is not None and now - self._looked < self.options.fresh_seconds:
            return False
        self.forget()
        self._looked = now
        return True

    def forget(self) -> None:
        """Forget what was read."""
        self._kinds = self._looked = None
        self.ledger.forget()

    async def limited(self, request: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a request, with no more than `concurrent_requests` of them at once."""
        try:
            async with self._slots:
                return await request
        finally:
            request.close()  # one that was interrupted before its turn: Python would complain of it

    async def read(self, sought: Iterable[Sought], applyset: str) -> Found:
        """Read metadata: one list where it saves requests, a GET for whatever it does not show."""
        return await self.read_with(sought, partial(self._listed, applyset))

    async def read_with(self, sought: Iterable[Sought], lister: Lister) -> Found:
        """Read metadata: a GET for whatever the lister does not show."""
        found = Found()
        groups: dict[tuple[ServedKind, str], list[Sought]] = defaultdict(list)
        for one in sought:
            if one.kind is None:
                found.live[one.key] = None
            else:
                groups[one.kind, one.key.namespace].append(one)
        await together(
            *(self._group(kind, place, group, lister, found)
              for (kind, place), group in groups.items())
        )  # fmt: skip
        return found

    async def _group(
        self, kind: ServedKind, namespace: str, group: list[Sought], lister: Lister, found: Found
    ) -> None:
        shown = await lister(kind, namespace, group)
        await together(*(self._one(kind, one.key, shown, found) for one in group))

    async def _listed(
        self, applyset: str, kind: ServedKind, namespace: str, group: Sequence[Sought]
    ) -> Mapping[str, LiveObject]:
        if sum(one.listed for one in group) < WORTH_A_LIST:
            return {}
        listing = self.client.list_metadata(kind, namespace, f"{PART_OF}={applyset}")
        try:
            return {live.name: live for live in await self.limited(listing)}
        except ObjectError:
            return {}  # a narrow role may allow `get` alone; a GET each tells who is to blame

    async def _one(
        self, kind: ServedKind, key: ObjectKey, shown: Mapping[str, LiveObject], found: Found
    ) -> None:
        if key.name in shown:
            found.live[key] = shown[key.name]
            return
        try:
            reading = self.client.metadata(kind, key.namespace, key.name)
            found.live[key] = await self.limited(reading)
        except ObjectError as error:
            found.failed[key] = error


class _Acting(Cluster):
    """A cluster in a service account's name; what is ours is asked of the one it stands for."""

    def __init__(self, base: Cluster, client: Client) -> None:
        super().__init__(client, base.options, recorder=base.recorder)
        self._base = base
        self.ledger, self.confirmed = base.ledger, base.confirmed

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        """Give what is served."""
        return await self._base.kinds(refresh=refresh)

    def learn(self, kinds: Kinds) -> None:
        """Know what somebody else has just asked."""
        self._base.learn(kinds)

    async def key(self) -> DigestKey:
        """Give our persistent key."""
        return await self._base.key()

    def forget(self) -> None:
        """Forget what was read."""
        self._base.forget()

    async def limited(self, request: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a request, among all of them."""
        return await self._base.limited(request)
