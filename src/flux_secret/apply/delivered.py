"""Inventories → what they list, as it is in the cluster now: what `fluxctl` asks for.

Flux v1 answers from the live cluster, so we do: objects are read when somebody asks, with the
agent's rights. But only what this agent's own targets list, in the namespaces that it may touch,
and of kinds that hold no value: a Secret is never asked for.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from flux_secret.apply import saved
from flux_secret.apply.allowed import is_allowed
from flux_secret.apply.cluster import WORTH_A_LIST, together
from flux_secret.apply.inventory import Entry, TargetId
from flux_secret.apply.ledger import Ledger
from flux_secret.apply.payload import PART_OF
from flux_secret.apply.running import Tree, workload
from flux_secret.errors import ConfigurationError, ForbiddenError, UnreachableError
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Target
from flux_secret.model.workload import Workload, is_workload
from flux_secret.outside.kubernetes import Client, Kinds, ServedKind
from flux_secret.outside.kubernetes.body import text

MAX_OBJECTS: Final = 5000  # that one question reads
MAX_SAVED: Final = 32 * 1024 * 1024  # bytes of one export
QUESTION_SECONDS: Final = 60.0  # fluxctl's own `--timeout`
_CONCURRENT: Final = 8  # requests of one question; deliveries have twice as many

Found = dict[ObjectKey, Tree]


class Delivered:
    """Reads what an agent's targets own."""

    def __init__(self, client: Client, namespace: str, targets: Iterable[Target]) -> None:
        self._client = client
        self._namespace = namespace
        self._allowed = {TargetId.of(one): one.allowed_namespaces for one in targets}
        self._one_at_a_time = asyncio.Lock()

    async def workloads(self, namespace: str = "") -> Sequence[Workload]:
        """Give what runs pods in a namespace, `""` for all; raise what the cluster raises."""
        found = await self._read(lambda key: is_workload(key) and namespace in {"", key.namespace})
        return [workload(key, tree) for key, tree in sorted(found.items())]

    async def export(self) -> bytes:
        """Give Namespaces and workloads as a YAML stream, without what only live objects have."""
        found = await self._read(saved.may_be_saved)
        stream = b"".join(saved.document(found[key]) for key in sorted(found, key=saved.place))
        if len(stream) > MAX_SAVED:
            raise ConfigurationError(
                f"what was delivered is larger than {MAX_SAVED} bytes",
                remedy="save a namespace at a time: kubectl get deployments -n NAMESPACE -o yaml",
            )
        return stream

    async def _read(self, is_wanted: Callable[[ObjectKey], bool]) -> Found:
        """Read what is wanted, one question at a time, within limits."""
        try:
            async with asyncio.timeout(QUESTION_SECONDS), self._one_at_a_time:
                return await Question(self._client, await self._listed(is_wanted)).read()
        except TimeoutError:
            raise UnreachableError(
                f"the cluster did not answer within {QUESTION_SECONDS:g} s",
                remedy="ask again, for one namespace",
            ) from None

    async def _listed(
        self, is_wanted: Callable[[ObjectKey], bool]
    ) -> Mapping[str, Collection[Entry]]:
        """Give what each inventory of ours lists, by the value of its member label."""
        ledger = Ledger(self._client, self._namespace)  # its own: deliveries go on meanwhile
        await ledger.open()
        listed = {}
        for target, allowed in self._allowed.items():
            inventory = ledger.inventory(target)
            listed[inventory.applyset] = [
                entry
                for key, entry in inventory.entries.items()
                if is_wanted(key) and is_allowed(key, allowed)
            ]
        if sum(map(len, listed.values())) > MAX_OBJECTS:
            raise ConfigurationError(
                f"more than {MAX_OBJECTS} objects would have to be read",
                remedy="ask for one namespace: fluxctl list-workloads -n NAMESPACE",
            )
        return listed


class Question:
    """One question's reads."""

    def __init__(self, client: Client, listed: Mapping[str, Collection[Entry]]) -> None:
        self._client = client
        self._listed = listed
        self._slots = asyncio.Semaphore(_CONCURRENT)
        self._found: Found = {}

    async def read(self) -> Found:
        """Read everything that is there; what is not is left out."""
        if not any(self._listed.values()):
            return {}
        kinds = await self._client.kinds()
        await together(
            *(
                self._group(kind, applyset, group)
                for applyset, entries in self._listed.items()
                for kind, group in _grouped(entries, kinds)
            )
        )
        return self._found

    async def _group(self, kind: ServedKind, applyset: str, group: Sequence[Entry]) -> None:
        """Read objects of one kind and namespace: a list where it saves requests, else each."""
        shown: dict[str, Tree] = {}
        if len(group) >= WORTH_A_LIST:
            shown = await self._list(kind, group[0].key.namespace, applyset)
        await together(*(self._one(kind, entry, shown.get(entry.key.name)) for entry in group))

    async def _list(self, kind: ServedKind, namespace: str, applyset: str) -> dict[str, Tree]:
        async with self._slots:
            try:
                trees = await self._client.list(kind, namespace, f"{PART_OF}={applyset}")
            except ForbiddenError:
                return {}  # a narrow role may allow `get` alone
        return {text(tree, "metadata", "name"): tree for tree in trees}

    async def _one(self, kind: ServedKind, entry: Entry, tree: Tree | None) -> None:
        key = entry.key
        if tree is None:
            async with self._slots:
                tree = await self._client.get(kind, key.namespace, key.name)
        if tree is not None and entry.uid in {"", text(tree, "metadata", "uid")}:
            self._found[key] = {"apiVersion": kind.api_version, "kind": kind.kind, **tree}


def _grouped(
    entries: Iterable[Entry], kinds: Kinds
) -> Iterable[tuple[ServedKind, Sequence[Entry]]]:
    groups: dict[tuple[str, ServedKind], list[Entry]] = defaultdict(list)
    for entry in entries:
        kind = kinds.any_version(entry.key.group, entry.key.kind)
        if kind is not None:
            groups[entry.key.namespace, kind].append(entry)
    return [(kind, group) for (_, kind), group in groups.items()]
