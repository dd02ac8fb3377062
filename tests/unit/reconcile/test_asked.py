"""What people ask of a cluster about Apps: which there are, and what an object says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from flux_secret.errors import ConfigurationError, UnknownKindError, UsageError
from flux_secret.model.app import AppName
from flux_secret.model.report import AppReport, parsed
from flux_secret.model.status import AppStatus, Reason
from flux_secret.outside.kubernetes import Client, Json, NotFoundError
from flux_secret.reconcile.asked.apps import Apps
from flux_secret.reconcile.asked.reports import report_of
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.conditions import Shown, of_app

DEMO = AppName("dev-demo", "demo")


def tree(namespace: str, name: str, **more: Json) -> Mapping[str, Json]:
    return {"metadata": {"namespace": namespace, "name": name, "generation": 1}, **more}


class Server:
    """A cluster with some Apps; None: it does not know the kind."""

    def __init__(self, *trees: Mapping[str, Json], serves: bool = True) -> None:
        self.trees = trees
        self.serves = serves

    async def list(self, *_of: object) -> Sequence[Mapping[str, Json]]:
        if not self.serves:
            raise NotFoundError("list apps: not found")
        return self.trees


def find(server: Server, *names: str, namespace: str = "") -> list[str]:
    found = asyncio.run(Apps(cast("Client", server), namespace).find(names))
    return [str(kinds.name_of(one)) for one in found]


def test_apps_are_found_by_name_and_by_namespace_and_name() -> None:
    server = Server(tree("b", "shop"), tree("a", "demo"), tree("b", "demo"))
    assert find(server) == ["a/demo", "b/demo", "b/shop"]
    assert find(server, "demo") == ["a/demo", "b/demo"]
    assert find(server, "b/demo", "shop", "demo") == ["a/demo", "b/demo", "b/shop"]


def test_a_name_that_is_not_there_is_an_error_that_suggests_what_is_like_it() -> None:
    server = Server(tree("a", "demo"))
    with pytest.raises(UsageError, match="there is no App dmeo in any namespace") as near:
        find(server, "demo", "dmeo")
    assert near.value.remedy.startswith("did you mean demo?")
    with pytest.raises(UsageError, match=r"no App \\x1b\[0m in namespace a") as escaped:
        find(server, "\x1b[0m", namespace="a")
    assert "flux-secret status -A" in escaped.value.remedy


def test_a_cluster_that_does_not_know_apps_says_whom_else_to_ask() -> None:
    with pytest.raises(UnknownKindError, match="knows no Apps") as unknown:
        find(Server(serves=False))
    assert "--url" in unknown.value.remedy


def shown(status: AppStatus, *, generation: int = 1, **spec: Json) -> AppReport:
    said = of_app(status, Shown(1, {}))
    one = tree("dev-demo", "demo", status=said, spec=spec)
    cast("dict[str, Json]", one["metadata"])["generation"] = generation
    return report_of(one)


def test_what_waits_for_owners_is_a_condition_of_its_own_beside_ready() -> None:
    waits = ("store apps: demo/prod is not approved",)
    said = of_app(AppStatus(DEMO, ready=True, reason=Reason.SUCCEEDED, held=waits), Shown(1, {}))
    ready, approval = cast("list[dict[str, Json]]", said["conditions"])
    assert (ready["type"], ready["status"]) == ("Ready", "True")
    assert (approval["type"], approval["status"]) == ("ApprovalMissing", "True")
    assert (approval["reason"], approval["message"]) == ("ApprovalMissing", waits[0])


def test_before_the_first_round_what_was_said_last_of_the_same_object_holds() -> None:
    """An agent that starts knows nothing of an App: that makes it not less ready."""
    ready = AppStatus(DEMO, ready=True, reason=Reason.SUCCEEDED, applied="main@sha1:1", objects=4)
    before = of_app(ready, Shown(1, {}))
    begun = of_app(AppStatus(DEMO, reconciling=True), Shown(1, before))
    said = cast("list[dict[str, Json]]", begun["conditions"])
    assert [(one["type"], one["status"]) for one in said] == [
        ("Ready", "True"), ("Reconciling", "True"),
    ]  # fmt: skip
    assert (begun["objects"], begun["lastAppliedRevision"]) == (4, "main@sha1:1")
    changed = of_app(AppStatus(DEMO, reconciling=True), Shown(2, before))
    assert cast("list[dict[str, Json]]", changed["conditions"])[0]["status"] == "Unknown"
    failed = of_app(AppStatus(DEMO, ready=False, reason=Reason.FAILED), Shown(1, before))
    assert cast("list[dict[str, Json]]", failed["conditions"])[0]["status"] == "False"
    assert failed["lastAppliedRevision"] == "main@sha1:1"


def test_what_a_person_suspended_beside_the_object_is_suspended_for_who_asks() -> None:
    still = AppStatus(DEMO, ready=True, reason=Reason.SUCCEEDED, suspended=True)
    assert shown(still).suspended
    assert not shown(still, generation=2).suspended  # resumed, and the agent has not looked yet
    one = tree("dev-demo", "demo", status=of_app(still, Shown(1, {})))
    with pytest.raises(ConfigurationError, match="is suspended") as refused:
        asyncio.run(Apps(cast("Client", Server(one)), "").sync([one], 1))
    assert "flux-secret resume dev-demo/demo --agent" in refused.value.remedy


def test_an_object_says_what_is_wrong_and_what_comes_next() -> None:
    status = AppStatus(DEMO, ready=False, reason=Reason.FAILED, message="why", failures=3)
    report = shown(status)
    assert (report.ready, report.reason, report.message) == (False, "ReconciliationFailed", "why")
    assert report.next == "failed 3 times, and is tried again"
    assert report.since is not None
    assert report.exit_code == 7
    assert shown(status, suspend=True).suspended


def test_an_object_that_nobody_has_looked_at_says_so() -> None:
    report = report_of(tree("dev-demo", "demo"))
    assert (report.ready, report.message) == (None, "no agent has looked at it yet")
    ready = AppStatus(DEMO, ready=True, reason=Reason.SUCCEEDED)
    assert shown(ready).next == ""
    assert shown(ready, generation=2).next == "what it says now was not looked at yet"


@pytest.mark.parametrize(
    ("reason", "code"),
    [(Reason.ACCESS_DENIED, 4), (Reason.BUILD_FAILED, 3), (Reason.VERIFICATION_FAILED, 6)],
)
def test_a_reason_has_an_exit_code(reason: Reason, code: int) -> None:
    assert AppReport(DEMO, ready=False, reason=reason.value).exit_code == code
    assert AppReport(DEMO, ready=True, reason=reason.value).exit_code == 0


def test_what_an_agent_writes_is_read_again_and_nonsense_is_not_said() -> None:
    report = shown(AppStatus(DEMO, ready=False, reason=Reason.FAILED, message="why", failures=3))
    assert parsed(report.to_json()) == report
    assert parsed({"name": 7, "failures": "x"}).failures == 0
