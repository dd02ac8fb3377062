"""What a reflector saw, and stories that hold for the embedded API server and for a real one."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import pytest

from flux_secret.errors import UnknownKindError
from flux_secret.outside.kubernetes import (
    EVENTS,
    AlreadyExistsError,
    Client,
    ConflictError,
    Following,
    Gone,
    Json,
    LiveObject,
    NotFoundError,
    Preconditions,
    Reflector,
    ServedKind,
    Synced,
    Told,
    Troubled,
    Upsert,
)
from flux_secret.outside.kubernetes.body import encoded, mapping, text
from flux_secret.outside.kubernetes.watch import Pauses, Raw

SECONDS: Final = 60.0
FAST: Final = Pauses(first=0.05, longest=0.2, refused=0.05, busy=0.2)
GROUP: Final = "watched.example.org"
THINGS: Final = ServedKind(GROUP, "v1", "Thing", "things", namespaced=True)
MAPS: Final = ServedKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
SECRETS: Final = ServedKind("", "v1", "Secret", "secrets", namespaced=True)
NAMESPACES: Final = ServedKind("", "v1", "Namespace", "namespaces", namespaced=False)
DEFINITIONS: Final = ServedKind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
    namespaced=False,
)  # fmt: skip


def named(tree: Raw) -> str:
    """Give an object's name."""
    return text(tree, "metadata", "name")


@dataclass
class Seen:
    """What was told, and what there is after it."""

    told: list[Told[str]] = field(default_factory=list)
    now: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, told: Told[str]) -> None:
        self.told.append(told)
        if isinstance(told, Synced):
            self.now = set(told.objects)
        elif isinstance(told, Upsert):
            self.now.add(told.object)
        elif isinstance(told, Gone):
            self.now.discard(told.name)
        self._changed.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def __contains__(self, kind: type) -> bool:
        return any(isinstance(one, kind) for one in self.told)

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, reflector: Reflector[str]) -> AsyncIterator[Seen]:
        """Follow while the block runs."""
        seen = cls()
        task = asyncio.create_task(reflector.run(seen))
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled(), task


def following(
    client: Client,
    kind: ServedKind,
    namespace: str = "",
    labels: str = "",
    *,
    metadata_only: bool = False,
) -> contextlib.AbstractAsyncContextManager[Seen]:
    """Follow the names of a kind's objects, with short pauses."""
    source = client.source(kind, namespace, labels, metadata_only=metadata_only)
    return Seen.of(Reflector(source, named, FAST))


@contextlib.asynccontextmanager
async def a_namespace(client: Client) -> AsyncIterator[str]:
    """Make one of its own."""
    name = f"watching-{secrets.token_hex(4)}"
    body = encoded({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    live = await client.create(NAMESPACES, "", name, body)
    try:
        yield name
    finally:
        await client.delete(NAMESPACES, "", name, Preconditions(live.uid))


async def make(
    client: Client, kind: ServedKind, namespace: str, name: str, **labels: str
) -> LiveObject:
    """Create an empty object."""
    tree: Json = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    }
    return await client.create(kind, namespace, name, encoded(tree))


def definition() -> bytes:
    """Give the definition of `THINGS`, which have a status."""
    schema: Json = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
        },
    }
    version: Json = {
        "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    names: Json = {"kind": "Thing", "listKind": "ThingList", "plural": "things",
                   "singular": "thing"}  # fmt: skip
    return encoded({
        "apiVersion": DEFINITIONS.api_version, "kind": DEFINITIONS.kind,
        "metadata": {"name": f"things.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    })  # fmt: skip


async def define(client: Client) -> LiveObject:
    """Create that definition, as soon as the one of another story is gone."""
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(AlreadyExistsError):
                return await client.create(DEFINITIONS, "", f"things.{GROUP}", definition())
            await asyncio.sleep(0.1)


# -- stories --


async def objects_come_change_and_go(client: Client) -> None:
    """A reflector of labels in one namespace sees these and no others."""
    async with a_namespace(client) as here, a_namespace(client) as elsewhere:
        await make(client, MAPS, here, "first", x="1")
        await make(client, MAPS, here, "unlabelled")
        async with following(client, MAPS, here, "x=1") as seen:
            await seen.until(lambda: Following in seen)
            assert seen.told[0] == Synced(("first",))
            await make(client, MAPS, elsewhere, "other", x="1")
            second = await make(client, MAPS, here, "second", x="1")
            await seen.until(lambda: seen.now == {"first", "second"})
            await client.annotate(MAPS, here, "second", {"a": "b"})
            await client.delete(MAPS, here, "second", Preconditions(second.uid))
            await seen.until(lambda: seen.now == {"first"})
            assert seen.told[2:] == [
                Upsert("second"), Upsert("second"), Gone(here, "second", second.uid),
            ]  # fmt: skip


async def a_list_of_many_is_read_in_pages(client: Client) -> None:
    """None is missing, whatever the size of a page."""
    async with a_namespace(client) as here:
        every = {f"map-{number}" for number in range(7)}
        for name in sorted(every):
            await make(client, MAPS, here, name, of="pages")
        source = client.source(MAPS, here, "of=pages", page=3)
        async with Seen.of(Reflector(source, named, FAST)) as seen:
            await seen.until(lambda: Following in seen)
            assert seen.now == every


async def metadata_of_secrets_without_a_value(client: Client) -> None:
    """No value crosses the wire, neither in the list nor in the watch."""
    crossed: list[Raw] = []

    def look(tree: Raw) -> str:
        crossed.append(tree)
        return named(tree)

    async with a_namespace(client) as here:
        await make(client, SECRETS, here, "before")
        source = client.source(SECRETS, here, metadata_only=True)
        async with Seen.of(Reflector(source, look, FAST)) as seen:
            await seen.until(lambda: Following in seen)
            tree: Json = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
                          "stringData": {"k": "hunter2"}}  # fmt: skip
            await client.create(SECRETS, here, "s", encoded(tree))
            await seen.until(lambda: "s" in seen.now)
    assert {text(tree, "kind") for tree in crossed} <= {"PartialObjectMetadata", ""}
    assert all(set(tree) <= {"apiVersion", "kind", "metadata"} for tree in crossed)


async def a_definition_comes_goes_and_comes_again(client: Client) -> None:
    """A kind that is not served is told so and looked for; nothing has to be started anew."""
    name = f"things.{GROUP}"
    async with a_namespace(client) as here, following(client, THINGS) as seen:
        await seen.until(lambda: Troubled in seen)
        assert isinstance(seen.told[0], Troubled)
        assert isinstance(seen.told[0].error, UnknownKindError)
        live = await define(client)
        await seen.until(lambda: Following in seen)
        await make(client, THINGS, here, "one")
        await seen.until(lambda: "one" in seen.now)
        seen.told.clear()
        await client.delete(DEFINITIONS, "", name, Preconditions(live.uid))
        await seen.until(lambda: Troubled in seen)
        assert seen.now == set()
        again = await define(client)
        await seen.until(lambda: Following in seen)
        await client.delete(DEFINITIONS, "", name, Preconditions(again.uid))


async def a_status_is_applied_by_itself(client: Client) -> None:
    """What the status call writes is the status alone, under the manager it names."""
    name = f"things.{GROUP}"
    live = await define(client)
    try:
        async with a_namespace(client) as here, following(client, THINGS) as seen:
            await seen.until(lambda: Following in seen)
            await make(client, THINGS, here, "one")
            body: dict[str, Json] = {"apiVersion": THINGS.api_version, "kind": "Thing",
                          "metadata": {"name": "one"}, "spec": {"x": 1},
                          "status": {"phase": "Ready"}}  # fmt: skip
            done = await client.apply_status(
                THINGS, here, "one", encoded(body), manager="flux-secret-controller"
            )
            tree = await client.get(THINGS, here, "one")
            assert tree is not None
            assert tree["status"] == {"phase": "Ready"}
            assert "spec" not in tree
            managers = [(one.manager, one.subresource) for one in done.managed]
            assert ("flux-secret-controller", "status") in managers
            held = await client.set_finalizers(THINGS, done, ["flux-secret.io/app"])
            assert mapping(await client.get(THINGS, here, "one") or {}, "metadata")["finalizers"]
            with pytest.raises(ConflictError):
                await client.set_finalizers(THINGS, done, [])
            await client.set_finalizers(THINGS, held, [])
            gone: Json = {**body, "metadata": {"name": "gone"}}
            with pytest.raises(NotFoundError):
                await client.apply_status(THINGS, here, "gone", encoded(gone), manager="m")
    finally:
        await client.delete(DEFINITIONS, "", name, Preconditions(live.uid))


async def an_event_is_written(client: Client) -> None:
    """`kubectl events` shows what is created with `EVENTS`."""
    async with a_namespace(client) as here:
        tree: Json = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e.1", "namespace": here},
            "involvedObject": {"kind": "ConfigMap", "namespace": here, "name": "x"},
            "reason": "Delivered", "message": "said", "type": "Normal", "count": 1,
            "source": {"component": "flux-secret"},
        }  # fmt: skip
        async with following(client, EVENTS, here) as seen:
            await client.create(EVENTS, here, "e.1", encoded(tree))
            await seen.until(lambda: "e.1" in seen.now)


STORIES: Final = (
    objects_come_change_and_go,
    a_list_of_many_is_read_in_pages,
    metadata_of_secrets_without_a_value,
    a_definition_comes_goes_and_comes_again,
    a_status_is_applied_by_itself,
    an_event_is_written,
)
