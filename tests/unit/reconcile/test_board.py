"""What the board answers: the cluster as it is, and what went wrong with it here."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from flux_secret.api.interface import Repository
from flux_secret.errors import FluxSecretError, RejectedError, UnreachableError
from flux_secret.model.app import App, AppName
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.giturl import GitUrl
from flux_secret.model.hold import Hold
from flux_secret.model.names import ObjectKey
from flux_secret.model.restart import SecretRollout
from flux_secret.model.status import AppStatus
from flux_secret.model.sync import Sync
from flux_secret.model.target import Source, Target
from flux_secret.model.workload import Workload
from flux_secret.reconcile import board as module
from flux_secret.reconcile.board import Board, outcome_of
from flux_secret.reconcile.requests import answer
from flux_secret.reconcile.resources.conditions import Shown, of_app
from flux_secret.reconcile.round import Round

SOURCE = Source(GitUrl.parse("ssh://git@example.org/ops"), "main")
TARGET = Target(SOURCE, "demo")
APP = App(AppName("flux", "flux"), (TARGET,))
DEMO = ObjectKey("apps", "Deployment", "dev", "demo")
REFUSED = ObjectKey("apps", "Deployment", "dev", "refused")


class Live:
    """A cluster with one workload."""

    async def workloads(self, namespace: str = "") -> Sequence[Workload]:
        return [Workload(DEMO, "ready")] if namespace in {"", "dev"} else []

    async def export(self) -> bytes:
        return b"---\n"


def board() -> Board:
    return Board(Repository("", "", ""), [APP])


def delivered(*changes: Change, error: FluxSecretError | None = None) -> Round:
    delivery = Delivery(TARGET, error=error)
    for change in changes:
        delivery.changes.add(change)
    return Round((delivery,))


async def test_a_workload_has_the_error_of_its_last_delivery_until_that_is_mended() -> None:
    board_ = board()
    board_.connected(Live())
    refused = RejectedError("no", remedy="mend it")
    board_.note(delivered(Change(DEMO, Action.FAILED, error=refused)), 1.0)
    (found,) = await board_.workloads("")
    assert (found.status, found.error) == ("ready", "deployment.apps/demo in dev: no (mend it)")
    board_.note(delivered(error=UnreachableError("gone", remedy="wait")), 1.0)
    (found,) = await board_.workloads("")
    assert found.error == "demo: gone (wait)"  # none of the target's objects was delivered
    board_.note(delivered(Change(DEMO, Action.CONFIGURED)), 1.0)
    (found,) = await board_.workloads("")
    assert found.error == ""


async def test_a_workload_that_could_not_be_created_is_listed_and_a_secret_is_not() -> None:
    board_ = board()
    board_.connected(Live())
    secret = ObjectKey("", "Secret", "dev", "demo-secret")
    failed = [Change(key, Action.FAILED, error=RejectedError("no")) for key in (REFUSED, secret)]
    board_.note(delivered(*failed), 1.0)
    assert [(one.key, one.status, one.error) for one in await board_.workloads("")] == [
        (DEMO, "ready", ""),
        (REFUSED, "error", "deployment.apps/refused in dev: no"),
    ]
    assert await board_.workloads("elsewhere") == []


async def test_who_asks_while_the_agent_connects_waits_a_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board_ = board()
    asked = asyncio.ensure_future(board_.export())
    await asyncio.sleep(0)
    board_.connected(Live())
    assert await asked == b"---\n"
    board_.connected(None)
    monkeypatch.setattr(module, "CONNECTING_SECONDS", 0.0)
    with pytest.raises(UnreachableError, match="is not connected to the cluster yet"):
        await board_.export()


def test_the_outcome_names_the_commit_that_was_not_signed() -> None:
    done = Round((), syncs=(Sync(SOURCE, commit="a" * 40, head="b" * 40),))
    assert (outcome_of(done).commit, outcome_of(done).head) == ("a" * 40, "b" * 40)


async def test_a_job_is_measured_from_when_it_was_asked_for() -> None:
    board_ = board()

    def lines() -> list[str]:
        return board_.metrics().decode().splitlines()

    begun: list[bool] = []
    asked = [asyncio.ensure_future(board_.sync(begun=lambda: begun.append(True))) for _ in range(2)]
    await asyncio.sleep(0)
    assert "flux_daemon_queue_length_count 2.0" in lines()
    lane = board_.scheduler.lane(APP.name)
    assert lane is not None
    taken = lane.requests.take()
    taken.begin()
    assert begun == [True, True]
    assert "flux_daemon_queue_length_count 0.0" in lines()
    assert "flux_daemon_queue_duration_seconds_count 2.0" in lines()
    assert taken.waiting is not None
    answer(taken.waiting, delivered(error=UnreachableError("gone")))
    assert {one.exit_code for one in await asyncio.gather(*asked)} == {5}
    assert 'flux_daemon_job_duration_seconds_count{success="false"} 2.0' in lines()
    assert 'flux_daemon_job_duration_seconds_bucket{le="0.1",success="false"} 2.0' in lines()
    assert 'flux_daemon_job_duration_seconds_count{success="true"} 0.0' in lines()


async def test_a_job_whose_round_never_came_was_queued_and_not_run() -> None:
    board_ = board()
    asked = asyncio.ensure_future(board_.sync())
    await asyncio.sleep(0)
    board_.scheduler.close()
    with pytest.raises(UnreachableError):
        await asked
    lines = board_.metrics().decode().splitlines()
    assert 'flux_daemon_job_duration_seconds_count{success="false"} 0.0' in lines
    assert "flux_daemon_queue_duration_seconds_count 0.0" in lines


async def test_git_is_ready_while_every_repository_answers_whatever_a_round_does() -> None:
    board_ = board()
    board_.scheduler.poller.asked({SOURCE: "head"})
    board_.note(delivered(error=UnreachableError("the API server is gone")), 1.0)
    assert "flux_git_ready 1.0" in board_.metrics().decode().splitlines()
    board_.scheduler.poller.asked({SOURCE: UnreachableError("no git")})
    board_.note(delivered(), 1.0)  # from the last good copy
    assert "flux_git_ready 0.0" in board_.metrics().decode().splitlines()


async def test_health_follows_polls_and_rounds() -> None:
    board_ = board()

    def failed() -> set[str]:
        return {one.name for one in board_.vitals.ready() if one.failed}

    due = board_.vitals.facts.due_at
    board_._polled({SOURCE: "a" * 40})
    assert board_.vitals.facts.due_at > due
    assert failed() == {"started"}  # its one App has not had its first round
    board_.note(delivered(error=UnreachableError("gone")), 1.0)
    assert board_.vitals.facts.failing_since is not None
    await board_.scheduler.drop(APP.name)
    board_._polled({})
    assert failed() == set()


def test_what_is_followed_and_called_is_known_to_webhooks() -> None:
    board_ = board()
    assert list(board_.repositories) == []
    board_.addresses = lambda: {str(SOURCE.url)}
    assert list(board_.repositories) == [str(SOURCE.url)]
    board_.counted("github", "hint")
    line = 'flux_secret_webhook_calls_total{host="github",outcome="hint"} 1.0'
    assert line in board_.metrics().decode().splitlines()


ROLLOUT = SecretRollout(
    DEMO, ("s",), datetime(2026, 11, 30, 9, tzinfo=UTC), 2, None, "its rollout", frozenset({"demo"})
)


async def test_a_status_has_the_rollouts_of_its_own_secrets_until_they_are_over() -> None:
    board_, told = board(), list[AppStatus]()
    board_.changed = lambda status, _round: told.append(status)
    other = dataclasses.replace(ROLLOUT, targets=frozenset({"other"}))
    board_.rolls([ROLLOUT, other])
    board_.rolls([ROLLOUT])  # the same for this App: nothing to tell
    assert [status.rollouts for status in told] == [(ROLLOUT,)]
    board_._ended(APP, delivered(), 1.0)
    assert board_.status(APP.name).rollouts == (ROLLOUT,)
    shown = Shown(1, {})
    assert of_app(board_.status(APP.name), shown)["rollouts"] == [
        {
            "kind": "Deployment",
            "namespace": "dev",
            "name": "demo",
            "secrets": ["s"],
            "since": "2026-11-30T09:00:00Z",
            "podsOld": 2,
            "waitingFor": "its rollout",
        }
    ]
    board_.rolls([])
    assert board_.status(APP.name).rollouts == ()
    assert "rollouts" not in of_app(board_.status(APP.name), shown)


async def test_who_suspends_one_app_has_none_delivered_again_that_is_refused_or_removed() -> None:
    board_ = board()
    await board_.scheduler.drop(APP.name)  # as for an App that is being deleted
    board_.hold(Hold.parse({"dev/another": ""}))
    board_.hold(Hold())
    assert board_.scheduler.apps == []


async def test_what_is_due_of_a_suspended_app_stays_until_it_is_over() -> None:
    board_, told = board(), list[tuple[AppStatus, AppStatus]]()
    board_.rolls([ROLLOUT])
    board_.put(dataclasses.replace(APP, suspended=True))
    board_.noted = lambda before, after, _round: told.append((before, after))
    board_.rolls([dataclasses.replace(ROLLOUT, targets=frozenset())])  # nobody's target now
    assert told == []
    assert board_.status(APP.name).rollouts == (ROLLOUT,)
    board_.rolls([])
    assert board_.status(APP.name).rollouts == ()


async def test_a_target_is_delivered_here_unless_its_app_is_suspended_or_anothers() -> None:
    mine = {APP.name, AppName("dev", "web"), AppName("dev", "held")}
    targets = {name: Target(SOURCE, name, app=f"dev/{name}") for name in ("web", "held", "theirs")}
    apps = [App(AppName("dev", name), (one,), suspended=name == "held")
            for name, one in targets.items()]  # fmt: skip
    board_ = Board(Repository("", "", ""), [APP, *apps], owns=mine.__contains__)
    assert board_.delivers(dataclasses.replace(TARGET, default_namespace="dev"))
    assert not board_.delivers(Target(SOURCE, "another"))
    assert [board_.delivers(one) for one in targets.values()] == [True, False, False]
    assert not board_.delivers(Target(SOURCE, "x", app="dev/unknown"))
