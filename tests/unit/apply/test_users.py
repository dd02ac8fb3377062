"""Which pods have what a Secret held before: told by times in whole seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from flux_secret.apply.users import Use, Users
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import FIELD_MANAGER, Client, LiveObject, ServedKind
from unit.apply.restart.cluster import MARK

BEFORE, CHANGED, AFTER = (f"2026-11-30T02:00:{second}Z" for second in ("25", "26", "27"))
SECRET = ObjectKey("", "Secret", "dev", "s")
WEB = ObjectKey("apps", "Deployment", "dev", "web")


def managed(manager: str, time: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "apiVersion": "v1", "time": time}


def pod(created: str, mark: str = "", *, is_going: bool = False) -> dict[str, Any]:
    going = {"deletionTimestamp": AFTER} if is_going else {}
    return {"metadata": {"creationTimestamp": created, "annotations": {MARK: mark}, **going}}


class Cluster:
    """One Secret, one Deployment that uses it, its pods."""

    def __init__(self, *pods: dict[str, Any], made: str = BEFORE, mark: str = "") -> None:
        self._pods, self._mark, self._made = pods, mark, made
        self.restarted = ""
        self.manager = FIELD_MANAGER

    async def metadata(self, _kind: ServedKind, _namespace: str, _name: str) -> LiveObject:
        entries = [managed(self.manager, CHANGED)]
        return LiveObject.parse(
            {"metadata": {"creationTimestamp": self._made, "managedFields": entries}}
        )

    async def list(
        self, kind: ServedKind, _namespace: str, _labels: str
    ) -> Sequence[dict[str, Any]]:
        if kind.kind != WEB.kind:
            return []
        source = {"envFrom": [{"secretRef": {"name": SECRET.name}}]}
        entries = [managed("flux-secret-restart", self.restarted)] if self.restarted else []
        template = {
            "metadata": {"annotations": {MARK: self._mark}},
            "spec": {"containers": [{"name": "web", **source}]},
        }
        spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
        return [{"metadata": {"name": WEB.name, "managedFields": entries}, "spec": spec}]

    async def list_metadata(
        self, _kind: ServedKind, _namespace: str, _labels: str
    ) -> Sequence[LiveObject]:
        return [LiveObject.parse(one) for one in self._pods]

    async def use(self) -> Use:
        (found,) = await Users(cast("Client", self)).of([SECRET])
        assert (found.secret, found.workload) == (SECRET, WEB)
        return found


@pytest.mark.parametrize(
    ("created", "old", "unsure"), [(BEFORE, 1, 0), (CHANGED, 0, 1), (AFTER, 0, 0)]
)
async def test_a_pod_is_old_new_or_of_the_very_second(created: str, old: int, unsure: int) -> None:
    use = await Cluster(pod(created)).use()
    assert (use.old, use.unsure, use.pods) == (old, unsure, 1)


async def test_pods_that_go_do_not_count() -> None:
    use = await Cluster(pod(BEFORE, is_going=True), pod(AFTER)).use()
    assert (use.old, use.unsure, use.pods) == (0, 0, 1)


async def test_before_a_secret_that_was_just_made_there_was_no_other_value() -> None:
    """The first delivery makes the Secret, the Deployment and the pod in one second."""
    use = await Cluster(pod(CHANGED), made=CHANGED).use()
    assert (use.old, use.unsure) == (0, 0)


@pytest.mark.parametrize(
    ("restarted", "mark", "unsure"),
    [(CHANGED, "new", 0), (AFTER, "new", 0), (BEFORE, "new", 1), ("", "new", 1), (CHANGED, "", 1)],
)
async def test_a_pod_with_the_mark_of_a_restart_that_came_after_is_new(
    restarted: str, mark: str, unsure: int
) -> None:
    cluster = Cluster(pod(CHANGED, mark), mark="new")
    cluster.restarted = restarted
    use = await cluster.use()
    assert (use.old, use.unsure) == (0, unsure)


async def test_a_workload_without_a_mark_makes_no_pod_new() -> None:
    cluster = Cluster(pod(CHANGED))
    cluster.restarted = CHANGED
    assert (await cluster.use()).unsure == 1


async def test_a_secret_that_is_not_ours_makes_no_pod_old() -> None:
    cluster = Cluster(pod(BEFORE))
    cluster.manager = "kubectl"
    use = await cluster.use()
    assert (use.old, use.unsure, use.pods) == (0, 0, 1)
