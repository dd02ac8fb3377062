"""An agent that restarts workloads, in time that a test moves; and the workloads."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.apply.world import DEPLOYMENTS, Object, Outcome, World, deployment, secret
from flux_secret.apply.restart.pods import PODS
from flux_secret.apply.restart.restarter import Restarter
from flux_secret.apply.restart.workloads import MARKED
from flux_secret.model.restart import RestartPolicy, SecretRollout
from flux_secret.outside.kubernetes import Client, ServedKind
from flux_secret.outside.kubernetes.body import text

APP = "demo"
STATEFUL_SETS = ServedKind("apps", "v1", "StatefulSet", "statefulsets", namespaced=True)
DAEMON_SETS = ServedKind("apps", "v1", "DaemonSet", "daemonsets", namespaced=True)
ROLLOUT_SECONDS = 60.0
MONDAY = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)


def env(name: str, key: str) -> Object:
    return {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}]}


def env_from(name: str) -> Object:
    return {"envFrom": [{"secretRef": {"name": name}}]}


def consumer(name: str, container: Object, replicas: int = 1) -> dict[str, Any]:
    """Give a Deployment whose container has more."""
    tree: dict[str, Any] = dict(deployment(name, replicas))
    (only,) = tree["spec"]["template"]["spec"]["containers"]
    only.update(container)
    return tree


def of_kind(kind: str, tree: dict[str, Any], **spec: object) -> dict[str, Any]:
    """Make another kind of a Deployment."""
    changed = {**tree["spec"], **spec}
    if kind == "DaemonSet":
        changed.pop("replicas")
    return {**tree, "kind": kind, "spec": changed}


def with_volume(tree: dict[str, Any], name: str) -> dict[str, Any]:
    tree["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "secret": {"secretName": name}}]
    return tree


@dataclass
class Agent:
    """One process; what it knows lies in the cluster."""

    world: World
    policy: RestartPolicy
    now: dt.datetime = MONDAY
    client: Client | None = None
    restarter: Restarter = field(init=False)

    def __post_init__(self) -> None:
        self.world.restart = self.policy
        self.world.new_applier()
        client = self.client or self.world.client
        self.restarter = Restarter(client, f"{self.world.name}-flux", lambda: self.now)

    async def deliver(self, *objects: Object) -> Outcome:
        """Make one round."""
        await self.restarter.before([self.world.target(APP)])
        done = await self.world.deliver({APP: objects})
        assert [one.error for one in done.deliveries] == [None]
        await self.restarter.after(done.deliveries)
        return done

    async def rotate(self, value: str, *others: Object) -> Outcome:
        return await self.deliver(secret("s", {"k": value.encode(), "l": b"same"}), *others)

    async def later(self, **delta: float) -> None:
        """Let time pass."""
        self.now += dt.timedelta(**delta)
        await self.restarter.settle()

    async def over(self) -> None:
        """Wait until every rollout is over."""

        async def is_over() -> bool:
            await self.later(seconds=0.01)
            return await self.restarter.rollouts() == []

        await until(is_over)

    async def rollouts(self) -> Mapping[str, SecretRollout]:
        return {one.workload.name: one for one in await self.restarter.rollouts()}


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(ROLLOUT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.05)


async def mark(world: World, name: str, kind: ServedKind = DEPLOYMENTS) -> str:
    tree = await world.read(kind, name)
    return text(tree, "spec", "template", "metadata", "annotations", MARKED)


async def generations(world: World, *kinds: ServedKind) -> dict[str, int]:
    """Give how often each workload's spec was written: once when it was made."""
    return {
        text(tree, "metadata", "name"): tree["metadata"]["generation"]  # type: ignore[call-overload,index,misc]
        for kind in kinds or (DEPLOYMENTS,)
        for tree in await world.client.list(kind, world.name, "")
    }


async def pods(world: World) -> dict[str, tuple[str, str]]:
    """Give each pod's workload and mark, by uid."""
    listed = await world.client.list_metadata(PODS, world.name)
    return {
        pod.uid: (pod.labels["app"], pod.annotations.get(MARKED, ""))
        for pod in listed
        if not pod.is_going
    }


async def until_running(world: World, count: int) -> None:
    async def running() -> bool:
        listed = await world.client.list(PODS, world.name, "")
        return [text(pod, "status", "phase") for pod in listed] == ["Running"] * count

    await until(running)
