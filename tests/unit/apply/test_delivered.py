"""Which objects are read for fluxctl: only those that this agent's targets list, never a Secret."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from flux_secret.apply import delivered
from flux_secret.apply.delivered import Delivered
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.errors import (
    ConfigurationError,
    ForbiddenError,
    IntegrityError,
    UnreachableError,
)
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Source, Target
from flux_secret.outside.kubernetes import Client, Kinds, ServedKind
from flux_secret.outside.kubernetes.body import parse
from unit.apply.builders import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, SECRETS

SOURCE = Source(GitUrl.parse("ssh://git@example.org/ops"), "main")
OURS, OTHER = Target(SOURCE, "demo"), Target(SOURCE, "other")


@dataclass
class FakeCluster:
    """Objects by kind, namespace and name, and what was asked for."""

    objects: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    config_maps: list[Mapping[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    may_list: bool = True
    hangs: bool = False

    def own(self, target: Target, *keys: ObjectKey, uid: str = "uid") -> None:
        listed = Inventory(TargetId.of(target), "flux", {key: Entry(key, uid) for key in keys})
        self.config_maps.append(parse(listed.to_body()))

    def add(self, key: ObjectKey, uid: str = "uid") -> ObjectKey:
        metadata = {"name": key.name, "namespace": key.namespace, "uid": uid}
        self.objects[key.kind, key.namespace, key.name] = {"metadata": metadata, "spec": {}}
        return key

    async def kinds(self) -> Kinds:
        return Kinds((CONFIG_MAPS, NAMESPACES, SECRETS, DEPLOYMENTS))

    async def list(self, kind: ServedKind, namespace: str, labels: str) -> Sequence[Any]:
        if kind == CONFIG_MAPS:
            return self.config_maps
        self.asked.append(f"list {kind.plural} {namespace} {labels.partition('=')[0]}")
        if not self.may_list:
            raise ForbiddenError("not allowed")
        return [tree for (name, place, _), tree in self.objects.items()
                if (name, place) == (kind.kind, namespace)]  # fmt: skip

    async def get(self, kind: ServedKind, namespace: str, name: str) -> object:
        self.asked.append(f"get {kind.plural} {namespace}/{name}")
        if self.hangs:
            await asyncio.Event().wait()
        return self.objects.get((kind.kind, namespace, name))

    def delivered(self, *targets: Target) -> Delivered:
        return Delivered(cast("Client", self), "flux", targets or (OURS,))


def deployment(name: str, namespace: str = "dev") -> ObjectKey:
    return ObjectKey("apps", "Deployment", namespace, name)


async def test_only_workloads_of_our_own_targets_are_read() -> None:
    cluster = FakeCluster()
    ours, theirs = cluster.add(deployment("ours")), cluster.add(deployment("theirs"))
    secret = cluster.add(ObjectKey("", "Secret", "dev", "demo-secret"))
    space = cluster.add(ObjectKey("", "Namespace", "", "dev"))
    cluster.own(OURS, ours, secret, space)
    cluster.own(OTHER, theirs)
    found = await cluster.delivered().workloads()
    assert [one.key for one in found] == [ours]
    assert cluster.asked == ["get deployments dev/ours"]
    exported = await cluster.delivered().export()
    assert b'"kind": "Namespace"' in exported
    assert b"theirs" not in exported
    assert not any("secrets" in asked for asked in cluster.asked)


async def test_a_namespace_narrows_the_question_and_the_agents_own_narrowness_counts() -> None:
    cluster = FakeCluster()
    keys = [cluster.add(deployment("a", place)) for place in ("dev", "prod")]
    cluster.own(OURS, *keys)
    assert [one.key.namespace for one in await cluster.delivered().workloads("prod")] == ["prod"]
    assert cluster.asked == ["get deployments prod/a"]
    narrow = Target(SOURCE, "demo", allowed_namespaces=frozenset({"dev"}))
    assert [one.key.namespace for one in await cluster.delivered(narrow).workloads()] == ["dev"]


@pytest.mark.parametrize("may_list", [True, False])
async def test_many_are_read_with_one_list_where_that_is_allowed(*, may_list: bool) -> None:
    cluster = FakeCluster(may_list=may_list)
    keys = [cluster.add(deployment(name)) for name in "abc"]
    cluster.own(OURS, *keys)
    assert [one.key for one in await cluster.delivered().workloads()] == keys
    gets = [] if may_list else [f"get deployments dev/{name}" for name in "abc"]
    assert cluster.asked == ["list deployments dev applyset.kubernetes.io/part-of", *gets]


async def test_what_is_gone_or_another_of_the_same_name_is_left_out() -> None:
    cluster = FakeCluster()
    cluster.own(OURS, deployment("gone"), cluster.add(deployment("another"), uid="new"))
    assert await cluster.delivered().workloads() == []


async def test_nothing_delivered_is_nothing_asked() -> None:
    cluster = FakeCluster()
    assert await cluster.delivered().workloads() == []
    assert await cluster.delivered().export() == b""
    assert cluster.asked == []


async def test_a_damaged_inventory_is_said() -> None:
    cluster = FakeCluster()
    cluster.own(OURS)
    body = dict(cluster.config_maps[0])
    body["data"] = {"inventory.json": "{"}
    cluster.config_maps[0] = body
    with pytest.raises(IntegrityError, match="is damaged"):
        await cluster.delivered().workloads()


async def test_every_question_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster()
    cluster.own(OURS, *(cluster.add(deployment(name)) for name in "ab"))
    monkeypatch.setattr(delivered, "MAX_OBJECTS", 1)
    with pytest.raises(ConfigurationError, match="more than 1 objects") as many:
        await cluster.delivered().workloads()
    assert "-n NAMESPACE" in many.value.remedy
    monkeypatch.setattr(delivered, "MAX_OBJECTS", 2)
    monkeypatch.setattr(delivered, "MAX_SAVED", 10)
    with pytest.raises(ConfigurationError, match="larger than 10 bytes"):
        await cluster.delivered().export()
    cluster.hangs = True
    monkeypatch.setattr(delivered, "QUESTION_SECONDS", 0.0)
    with pytest.raises(UnreachableError, match="did not answer within 0 s"):
        await cluster.delivered().workloads()
