"""Whoever pushes the record tells whether the branch is behind; an agent has a metric of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from flux_secret.api.interface import Repository
from flux_secret.audit.pushing import Pusher
from flux_secret.errors import FluxSecretError, IntegrityError, UnreachableError
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.vitals import Vitals

METRIC = "flux_secret_record_push_failing"


class Host:
    """A repository without the branch, that can be away."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def fetch(self) -> str | None:
        if self.failure is not None:
            raise self.failure
        return None

    def at(self, commit: str) -> NoReturn:
        raise AssertionError(commit)

    async def push(self, base: str | None, files: Mapping[str, bytes], message: str) -> NoReturn:
        raise AssertionError(base, files, message)

    def forget(self) -> None:
        """Keep nothing: there is nothing."""


async def test_each_attempt_tells_whether_the_branch_is_behind(tmp_path: Path) -> None:
    host, told = Host(), list[FluxSecretError | None]()
    pusher = Pusher(host, tmp_path, told=told.append)
    await pusher.begin()
    host.failure = UnreachableError("no host")
    await pusher.begin()  # keeps no agent from starting, and is known all the same
    await pusher.attempt()
    host.failure = ZeroDivisionError()  # a bug of ours leaves it behind, too
    await pusher.attempt()
    host.failure = None
    await pusher.attempt()
    what = [one.what if one is not None else None for one in told]
    assert what[:3] == [None, "no host", "no host"]
    assert str(what[3]).startswith("the record was not pushed: ZeroDivisionError")
    assert what[4:] == [None]


def test_the_agent_has_a_metric_of_it_and_knows_since_when() -> None:
    now = 100.0
    board = Board(Repository("", "", ""), [])
    board.vitals = Vitals(clock=lambda: now)
    assert f"{METRIC} 0.0" in board.metrics().decode()
    board.vitals.pushed(IntegrityError("taken back"))
    now = 105.0
    board.vitals.pushed(IntegrityError("taken back"))
    assert f"{METRIC} 1.0" in board.metrics().decode()
    assert board.vitals.facts.unpushed_since == 100.0
    board.vitals.pushed(None)
    assert f"{METRIC} 0.0" in board.metrics().decode()
