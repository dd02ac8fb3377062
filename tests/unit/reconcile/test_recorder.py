"""Events of Apps: to whom, how often, and what becomes of them when the API server refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from structlog.testing import capture_logs

from flux_secret.errors import FluxSecretError, ForbiddenError, UnreachableError
from flux_secret.model.app import AppName
from flux_secret.model.status import AppStatus, Reason
from flux_secret.outside.kubernetes import Client
from flux_secret.reconcile import recorder as module
from flux_secret.reconcile.chores import Chores
from flux_secret.reconcile.recorder import BURST, Recorder
from simulators.virtualtime import in_virtual_time

NAME = AppName("dev-demo", "demo")
READY = AppStatus(NAME, ready=True, reason=Reason.SUCCEEDED, applied="main@1")


def failing(message: str) -> AppStatus:
    return replace(READY, ready=False, reason=Reason.FAILED, message=message, attempted="main@2")


class Server:
    """Takes Events, or refuses as it is told."""

    def __init__(self, *refusals: FluxSecretError) -> None:
        self.refusals = list(refusals)
        self.taken: list[dict[str, Any]] = []

    async def create(self, _kind: object, _namespace: str, _name: str, body: bytes) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken.append(json.loads(body))

    @property
    def messages(self) -> list[str]:
        return [one["message"] for one in self.taken]


def played(
    server: Server, play: Callable[[Recorder], None], *, seconds: float = 120.0, flags: bool = False
) -> None:
    async def run() -> None:
        async with Chores() as chores:
            recorder = Recorder(
                cast("Client", server), chores, "flux", lambda _name: "" if flags else "a-uid"
            )
            play(recorder)
            await asyncio.sleep(seconds)
            play(recorder)
            await asyncio.sleep(120.0)

    in_virtual_time(run())


def test_an_event_is_about_the_app_and_names_its_revision() -> None:
    server = Server()
    played(server, lambda one: one.told(READY, failing("why"), None))
    (event,) = server.taken  # the second one within the hour is the same
    assert event["involvedObject"]["uid"] == "a-uid"
    assert event["involvedObject"]["kind"] == "App"
    assert event["metadata"]["namespace"] == "dev-demo"
    assert event["metadata"]["annotations"] == {"flux-secret.io/revision": "main@2"}
    assert (event["type"], event["reason"]) == ("Warning", "ReconciliationFailed")
    assert event["reportingComponent"] == "flux-secret"


def test_the_same_is_told_again_after_an_hour() -> None:
    server = Server()
    played(server, lambda one: one.told(READY, failing("why"), None), seconds=3601)
    assert server.messages == ["why", "why"]


def test_what_is_no_object_has_its_events_at_the_agents_namespace() -> None:
    server = Server()
    played(server, lambda one: one.told(READY, failing("y" * 2000), None), flags=True)
    (event,) = server.taken
    assert event["involvedObject"] == {
        "apiVersion": "v1", "kind": "Namespace", "name": "flux", "namespace": "flux",
    }  # fmt: skip
    assert event["message"].startswith("dev-demo/demo: yyy")
    assert len(event["message"]) == 1024


def test_an_app_has_a_burst_and_not_more() -> None:
    server = Server()

    def play(recorder: Recorder) -> None:
        for at in range(2 * BURST):
            recorder.told(READY, failing(f"why {at} {len(server.taken)}"), None)

    played(server, play)
    assert len(server.taken) == module.MAX_QUEUED  # the oldest of the burst were dropped


def test_what_cannot_be_sent_now_is_sent_later() -> None:
    server = Server(UnreachableError("it restarts"))
    played(server, lambda one: one.told(READY, failing("why"), None))
    assert server.messages == ["why"]


def test_a_missing_right_is_told_once_with_what_grants_it() -> None:
    refusal = ForbiddenError("not allowed to create events", remedy="kubectl create role")
    server = Server(refusal, refusal, refusal)

    def play(recorder: Recorder) -> None:
        recorder.told(READY, failing(f"why {len(server.refusals)}"), None)
        recorder.told(READY, failing(f"more {len(server.refusals)}"), None)

    with capture_logs() as told:
        played(server, play)
    refused = [one for one in told if one["event"] == "events.refused"]
    assert [(one["namespace"], one["remedy"]) for one in refused] == [
        ("dev-demo", "kubectl create role")
    ]
    assert len(server.taken) == 1
