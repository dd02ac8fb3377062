"""What a reflector tells, and when it tries again; hours of it, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from flux_secret.errors import (
    BugError,
    FluxSecretError,
    ForbiddenError,
    RejectedError,
    UnknownKindError,
    UnreachableError,
)
from flux_secret.outside.kubernetes import ServedKind
from flux_secret.outside.kubernetes.connection import Connection
from flux_secret.outside.kubernetes.failure import ExpiredError, Request
from flux_secret.outside.kubernetes.transport import Transport
from flux_secret.outside.kubernetes.watch import (
    BusyError,
    Following,
    Gone,
    Listed,
    Raw,
    Reflector,
    Synced,
    Told,
    Troubled,
    Upsert,
)
from flux_secret.outside.kubernetes.watching import ApiSource
from simulators.virtualtime import in_virtual_time


def thing(name: str, version: int) -> Raw:
    return {"metadata": {"name": name, "namespace": "ns", "uid": f"u-{name}",
                         "resourceVersion": str(version)}}  # fmt: skip


def event(kind: str, tree: Raw) -> Raw:
    return {"type": kind, "object": tree}


def bookmark(version: int) -> Raw:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def error(code: int, reason: str) -> Raw:
    return event("ERROR", {"kind": "Status", "code": code, "reason": reason, "message": "no"})


Script: TypeAlias = "Sequence[Raw | FluxSecretError] | FluxSecretError"


@dataclass
class Scripted:
    """An API server that does one thing after another, each watch for `lasting` seconds."""

    lists: list[Listed | FluxSecretError]
    watches: list[Script]
    lasting: float = 600.0
    request: Request = field(default_factory=lambda: Request("watch", "things.example.org"))
    listed_at: list[float] = field(default_factory=list)
    watched: list[tuple[float, str]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def watch(self, version: str) -> AsyncIterator[AsyncIterator[Raw]]:
        self.watched.append((asyncio.get_running_loop().time(), version))
        said = self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]
        if isinstance(said, FluxSecretError):
            raise said
        yield self._events(said)

    async def _events(self, said: Sequence[Raw | FluxSecretError]) -> AsyncIterator[Raw]:
        for one in said:
            if isinstance(one, FluxSecretError):
                raise one
            yield one
        await asyncio.sleep(self.lasting)

    async def list(self) -> Listed:
        self.listed_at.append(asyncio.get_running_loop().time())
        said = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(said, FluxSecretError):
            raise said
        return said


def followed(source: Scripted, seconds: float, *, jitter: float = 0.0) -> list[Told[str]]:
    """Follow for that long; give what was told, an object by its name."""

    def name(tree: Raw) -> str:
        meta = tree["metadata"]
        assert isinstance(meta, dict)
        return str(meta["name"])

    async def run() -> list[Told[str]]:
        told: list[Told[str]] = []
        reflector = Reflector(source, name, jitter=lambda: jitter)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await reflector.run(told.append)
        return told

    return in_virtual_time(run())


EMPTY = Listed("1", [])


def test_the_list_is_told_as_a_whole_and_then_each_change() -> None:
    source = Scripted(
        [Listed("7", [thing("a", 3), thing("b", 7)])],
        [[event("ADDED", thing("c", 8)), event("MODIFIED", thing("a", 9)),
          event("DELETED", thing("b", 10)), event("STRANGE", thing("d", 11))]],
    )  # fmt: skip
    assert followed(source, 10) == [
        Synced(("a", "b")), Following(), Upsert("c"), Upsert("a"), Gone("ns", "b", "u-b"),
    ]  # fmt: skip
    assert source.watched == [(0.0, "7")]


def test_a_watch_whose_time_is_over_is_continued_at_once_from_the_last_bookmark() -> None:
    source = Scripted([EMPTY], [[bookmark(5)], [event("ADDED", thing("a", 9))], []])
    assert followed(source, 1500) == [Synced(()), Following(), Upsert("a")]
    assert source.watched == [(0.0, "1"), (600.0, "5"), (1200.0, "9")]
    assert len(source.listed_at) == 1


def test_a_watch_that_breaks_is_continued_and_nobody_hears_of_it() -> None:
    source = Scripted([EMPTY], [[bookmark(5), UnreachableError("cut")], []])
    assert followed(source, 10) == [Synced(()), Following()]
    assert source.watched == [(0.0, "1"), (0.8, "5")]


@pytest.mark.parametrize("gone", [ExpiredError("gone"), [error(410, "Expired")]])
def test_410_on_the_watch_or_in_it_lists_again(gone: Script) -> None:
    source = Scripted([EMPTY, Listed("9", [thing("a", 9)])], [gone, []])
    told = followed(source, 10)
    assert [one for one in told if one != Following()] == [Synced(()), Synced(("a",))]
    assert source.listed_at == [0.0, 0.0]
    assert source.watched == [(0.0, "1"), (0.0, "9")]


def test_410_for_ever_is_no_circle_and_is_told_in_the_end() -> None:
    source = Scripted([EMPTY], [[error(410, "Expired")]])
    told = followed(source, 120)
    assert len(source.listed_at) < 15
    assert any(isinstance(one, Troubled) and isinstance(one.error, ExpiredError) for one in told)


def test_a_watch_that_ends_at_once_is_no_circle() -> None:
    source = Scripted([EMPTY], [[]], lasting=0.0)
    followed(source, 60)
    assert len(source.watched) < 10


def test_an_api_server_that_is_gone_is_told_with_when_it_is_tried_again() -> None:
    gone = UnreachableError("it does not answer")
    source = Scripted([gone], [[]])
    told = followed(source, 130)
    assert all(isinstance(one, Troubled) and one.error is gone for one in told)
    pauses = [one.again_seconds for one in told if isinstance(one, Troubled)]
    assert pauses == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]


def test_tries_of_several_agents_do_not_come_together() -> None:
    gone = UnreachableError("gone")
    assert followed(Scripted([gone], [[]]), 1, jitter=1.0) == [Troubled(gone, 0.8 * 1.5)]


def test_after_trouble_it_says_that_it_follows_again() -> None:
    down = UnreachableError("down")
    source = Scripted([EMPTY], [[UnreachableError("cut")], down, down, []])
    told = followed(source, 100)
    assert [type(one) for one in told] == [Synced, Following, Troubled, Troubled, Following]
    assert len(source.listed_at) == 1, "what was known is continued, not read again"


@pytest.mark.parametrize(
    "refusal", [ForbiddenError("list is missing"), UnknownKindError("not served")]
)
def test_a_refusal_is_told_and_tried_slowly_for_ever(refusal: FluxSecretError) -> None:
    source = Scripted([refusal, refusal, EMPTY], [[]])
    told = followed(source, 100)
    assert told == [Troubled(refusal, 30.0), Troubled(refusal, 30.0), Synced(()), Following()]


def test_where_only_watching_is_forbidden_the_list_is_read_again_and_again() -> None:
    refusal = ForbiddenError("watch is missing")
    source = Scripted([EMPTY, Listed("2", [thing("a", 2)])], [refusal])
    told = followed(source, 45)
    assert told == [Synced(()), Troubled(refusal, 30.0), Synced(("a",)), Troubled(refusal, 30.0)]


def test_a_kind_that_is_not_served_any_more_is_looked_for_and_read_anew() -> None:
    lost = UnknownKindError("not served")
    source = Scripted([Listed("5", [thing("a", 5)]), lost, Listed("9", [])], [[], lost, []])
    told = followed(source, 700)
    assert told == [Synced(("a",)), Following(), Troubled(lost, 30.0), Troubled(lost, 30.0),
                    Synced(()), Following()]  # fmt: skip


@pytest.mark.parametrize(("asked", "kept"), [(7.0, 7.0), (0.0, 0.8), (1e9, 60.0)])
def test_retry_after_is_kept_within_limits(asked: float, kept: float) -> None:
    busy = BusyError("busy", seconds=asked)
    source = Scripted([EMPTY], [busy, []])
    assert followed(source, 100) == [Synced(()), Troubled(busy, kept), Following()]


def test_another_error_inside_a_watch_is_told_and_what_was_missed_is_listed() -> None:
    source = Scripted([EMPTY, Listed("4", [])], [[error(500, "InternalError")], []])
    told = followed(source, 10)
    assert [type(one) for one in told] == [Synced, Following, Troubled, Synced, Following]
    assert isinstance(told[2], Troubled)
    assert isinstance(told[2].error, RejectedError)


def test_secrets_are_never_watched_whole() -> None:
    secrets = ServedKind("", "v1", "Secret", "secrets", namespaced=True)
    transport = Transport(Connection("https://127.0.0.1:9"))
    with pytest.raises(BugError, match="never watched whole"):
        ApiSource(transport, secrets)
    assert ApiSource(transport, secrets, metadata_only=True).request.verb == "watch"
