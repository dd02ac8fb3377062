"""What people suspend is followed; before it is known nothing is delivered, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from flux_secret.api.interface import Repository
from flux_secret.errors import ConfigurationError, UnreachableError
from flux_secret.model.app import App, AppName
from flux_secret.model.giturl import GitUrl
from flux_secret.model.hold import EVERYTHING, Hold
from flux_secret.model.target import Source, Target
from flux_secret.outside.kubernetes import AlreadyExistsError, NotFoundError
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.suspension import NAME, Suspension
from simulators.virtualtime import in_virtual_time

APP = App(AppName("dev", "a"), (Target(Source(GitUrl.parse("ssh://g@h/o"), "main"), "a"),))


@dataclass
class Server:
    """One ConfigMap, or none."""

    data: dict[str, str] | None = None
    is_gone: bool = False
    reads: int = 0
    writes: list[str] = field(default_factory=list)
    hides: bool = False
    """Whether somebody else makes it while we do."""

    async def list(
        self, _kind: object, _namespace: str, _labels: str, *, fields: str
    ) -> Sequence[Mapping[str, Any]]:
        self.reads += 1
        if self.is_gone:
            raise UnreachableError("the API server does not answer")
        assert fields == f"metadata.name={NAME}"
        return [] if self.data is None else [{"data": self.data}]

    async def merge(self, _kind: object, _where: str, _name: str, tree: Mapping[str, Any]) -> None:
        self.writes.append("merge")
        if self.data is None:
            raise NotFoundError("not found")
        both: dict[str, str | None] = {**self.data, **tree["data"]}
        self.data = {key: since for key, since in both.items() if since is not None}

    async def create(self, _kind: object, _where: str, _name: str, body: bytes) -> None:
        self.writes.append("create")
        if self.hides:
            self.data = {"dev.b": "2026"}
            raise AlreadyExistsError("it exists already")
        self.data = json.loads(body)["data"]


def suspension(server: Server) -> Suspension:
    return Suspension(server, "flux")  # type: ignore[arg-type]


def test_it_is_told_at_once_and_when_it_changes_and_what_was_known_last_holds() -> None:
    async def play() -> None:
        server, told = Server(is_gone=True), list[Hold]()
        following = asyncio.create_task(suspension(server).follow(told.append))
        await asyncio.sleep(10.5)
        assert (told, server.reads) == ([], 11), "it is not known, and asked every second"
        server.is_gone = False
        await asyncio.sleep(1)
        assert told == [Hold()]
        server.data = {"dev.a": "2026"}
        await asyncio.sleep(60)
        assert told[1:] == [Hold(names=frozenset({APP.name}))]
        server.is_gone = True
        await asyncio.sleep(60)
        server.is_gone, server.data = False, None
        await asyncio.sleep(6)
        assert told[2:] == [Hold()]
        following.cancel()

    in_virtual_time(play())


async def test_only_what_is_new_is_written_and_what_others_wrote_stays() -> None:
    server = Server()
    assert await suspension(server).suspend({"dev.a"}) == ["dev.a"]
    assert await suspension(server).suspend({"dev.a"}) == []
    assert await suspension(server).suspend({"dev.a", "dev.b"}) == ["dev.b"]
    assert server.writes == ["merge", "create", "merge"]
    assert set(server.data or {}) == {"dev.a", "dev.b"}
    assert await suspension(server).resume({"dev.a", "dev.c"}) == ["dev.a"]
    assert set(server.data or {}) == {"dev.b"}
    assert await suspension(server).suspend({EVERYTHING}) == [EVERYTHING]
    with pytest.raises(ConfigurationError, match="of the agent in flux are suspended") as refused:
        await suspension(server).resume({"dev.b"})
    assert "flux-secret resume --all --agent flux;" in refused.value.remedy
    assert "flux-secret suspend APP --agent flux" in refused.value.remedy
    assert await suspension(server).resume(()) == [EVERYTHING, "dev.b"]
    assert server.data == {}
    assert await suspension(server).resume(()) == []


async def test_two_who_suspend_at_the_same_time_both_do() -> None:
    server = Server(hides=True)
    await suspension(server).suspend({"dev.a"})
    assert set(server.data or {}) == {"dev.a", "dev.b"}


async def test_nothing_is_delivered_before_it_is_known_and_then_at_once() -> None:
    board = Board(Repository("", "", ""), [APP])
    board.hold(None)
    assert not board.scheduler.delivers(APP.name)
    assert not board.scheduler.has_new
    board.hold(Hold(everything=True))
    assert not board.scheduler.delivers(APP.name)
    assert board.status(APP.name).suspended
    board.hold(Hold())
    assert board.scheduler.delivers(APP.name)
    assert not board.status(APP.name).suspended


async def test_an_app_that_comes_later_is_suspended_too_and_keeps_what_it_says_itself() -> None:
    board = Board(Repository("", "", ""), [])
    board.hold(Hold(everything=True))
    board.put(APP)
    assert not board.scheduler.delivers(APP.name)
    assert board.scheduler.apps == [board.held(APP)]
    board.put(App(AppName("dev", "b"), (), suspended=True))
    board.hold(Hold())
    assert [app.suspended for app in board.scheduler.apps] == [False, True]


async def test_a_sync_says_that_everything_is_suspended() -> None:
    board = Board(Repository("", "", ""), [APP])
    board.hold(Hold(everything=True))
    done = await board.sync()
    assert done.exit_code == 3
    assert "is suspended" in done.error
    assert "flux-secret resume --all --agent NAMESPACE" in done.error
