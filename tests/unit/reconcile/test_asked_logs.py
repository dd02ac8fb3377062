"""Lines of an agent's log: those that are wanted, in both formats, and what is missing to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from flux_secret.errors import ConfigurationError, ForbiddenError, UnreachableError
from flux_secret.outside.kubernetes import Client, Json, NotFoundError
from flux_secret.reconcile.asked import logs
from flux_secret.reconcile.asked.logs import Wanted, show_logs

ERROR = 'ts=1 msg=delivery.finished err="no app=x/y here" app=dev/demo delivery=1a level=error'
INFO = "ts=2 msg=delivery.finished app=dev/shop level=info"
NONE = "ts=3 true stopping level=info"
AS_JSON = '{"msg": "delivery.finished", "app": "dev/demo", "level": "info"}'


class Server:
    """A cluster with pods and what each has said."""

    def __init__(self, *streams: list[str] | Exception, pods: int = 1) -> None:
        self.streams = list(streams)
        self.pods = pods
        self.asked: list[tuple[int, str, bool]] = []

    async def list(self, *_of: object) -> Sequence[Mapping[str, Json]]:
        return [{"metadata": {"name": f"flux-{at}"}} for at in range(self.pods)]

    @asynccontextmanager
    async def pod_log(
        self, _namespace: str, _pod: str, *, tail: int, since: str, follow: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self.asked.append((tail, since, follow))
        stream = self.streams.pop(0)
        if isinstance(stream, Exception):
            raise stream

        async def lines() -> AsyncIterator[bytes]:
            for line in stream:
                yield line.encode()

        yield lines()


def said(server: Server, wanted: Wanted, *, follow: bool = False) -> list[str]:
    heard: list[str] = []
    asyncio.run(
        show_logs(cast("Client", server), "flux", wanted, heard.append, tail=9, follow=follow)
    )
    return heard


def stamped(*lines: str) -> list[str]:
    return [f"2026-01-01T00:00:0{at}Z {line}" for at, line in enumerate(lines)]


def test_lines_are_chosen_by_app_and_level_in_both_formats() -> None:
    every = (ERROR, INFO, NONE, AS_JSON)
    for wanted, chosen in (
        (Wanted(), list(every)),
        (Wanted(["demo"]), [ERROR, AS_JSON]),
        (Wanted(["dev/shop", "demo"]), [ERROR, INFO, AS_JSON]),
        (Wanted(["y"]), []),
        (Wanted(level="warning"), [ERROR]),
        (Wanted(level="error"), [ERROR]),
        (Wanted(level="info"), list(every)),
    ):
        assert said(Server(stamped(*every)), wanted) == chosen


def test_following_goes_on_where_the_stream_ended_until_the_pod_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "AGAIN_SECONDS", 0.0)
    first, again = stamped(INFO), stamped(INFO, ERROR)
    server = Server(first, UnreachableError("silent"), again, NotFoundError("gone"))
    assert said(server, Wanted(), follow=True) == [INFO, ERROR]
    assert server.asked[1] == (0, "2026-01-01T00:00:00Z", True)


def test_where_no_agent_is_it_says_where_to_look() -> None:
    with pytest.raises(ConfigurationError, match="no pod of an agent is in namespace flux"):
        said(Server(pods=0), Wanted())


@pytest.mark.parametrize("follow", [False, True])
def test_what_may_not_be_read_says_who_can_allow_it(follow: bool) -> None:
    refused = ForbiddenError("the API server does not allow this agent to get pods/log", remedy="c")
    with pytest.raises(ForbiddenError, match="does not allow you to get pods/log") as told:
        said(Server(refused), Wanted(), follow=follow)
    assert told.value.remedy == "c"
