"""What anybody in a cluster can do to the ports of webhooks and probes, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import resource
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flux_secret.api import serving
from flux_secret.api.rates import Bucket
from flux_secret.api.serving import MAX_CONNECTIONS, serve_strangers
from flux_secret.api.webhook.receiver import MAX_BODY, Limits, Receiver
from flux_secret.api.webhook.secrets import Secrets
from flux_secret.model.listening import Address

SECRET = b"a secret that is long enough"
OPS, STORE = "ssh://git@github.com/org/ops.git", "git@github.com:org/secrets"
ANYWHERE = Address("127.0.0.1", 0)
SECONDS = 20.0  # within which anything here is over


@dataclass
class Polls:
    """What would look for commits."""

    repositories: Collection[str] = (OPS, STORE)
    hints: list[Collection[str]] = field(default_factory=list)

    def hint(self, urls: Collection[str] = ()) -> None:
        self.hints.append(urls)


@dataclass
class Port:
    """A receiver that listens, and what it was told."""

    address: Address
    polls: Polls
    secrets: Path
    outcomes: list[tuple[str, str]]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(self.address.host, self.address.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def send(self, head: str, body: bytes = b"") -> tuple[int, str]:
        """Send a request as it is; give status and text."""
        async with self.open() as (reader, writer):
            writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
            return await answer(reader)

    async def call(
        self, path: str, headers: dict[str, str], body: bytes, method: str = "POST"
    ) -> tuple[int, str]:
        lines = [f"{method} {path} HTTP/1.1", "Host: hooks", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return await self.send("\n".join(lines), body)

    async def github(self, body: bytes, secret: bytes = SECRET) -> tuple[int, str]:
        return await self.call("/hook/github", signed(body, secret), body)


def signed(body: bytes, secret: bytes = SECRET, event: str = "push") -> dict[str, str]:
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={digest}"}


def pushed(name: str = "org/ops") -> bytes:
    return json.dumps({"ref": "refs/heads/main", "repository": {"full_name": name}}).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Give the status and the text; 0 when the connection was closed without one."""
    async with asyncio.timeout(SECONDS):
        try:
            whole = (await reader.read()).decode()
        except ConnectionResetError:
            return 0, ""
    head, _, text = whole.partition("\r\n\r\n")
    return (int(head.split()[1]) if head else 0), text.strip()


@asynccontextmanager
async def port(tmp_path: Path, limits: Limits | None = None) -> AsyncIterator[Port]:
    file = tmp_path / "secrets"
    file.write_bytes(SECRET + b"\n")
    polls, outcomes = Polls(), []
    receiver = Receiver(
        polls, Secrets(file), lambda host, outcome: outcomes.append((host, outcome)), limits
    )
    async with AsyncExitStack() as servers:
        servers.callback(receiver.close)
        address = await serve_strangers(receiver.answer, ANYWHERE, servers, flag="--x")
        yield Port(address, polls, file, outcomes)


def generous() -> Limits:
    return Limits(calls=Bucket(1e6, 10**6), refusals=Bucket(1e6, 10**6), hint_seconds=0.0)


# -- what git hosts are answered --


async def test_a_push_to_a_repository_of_ours_is_a_hint_at_it_alone(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        assert await one.github(pushed()) == (202, "looking for commits now")
        assert await one.github(pushed("Org/Secrets")) == (202, "looking for commits now")
        assert one.polls.hints[0] == (OPS,)
        assert await one.github(pushed("org/other")) == (202, "ignored: no repository of ours")
        assert one.outcomes == [("github", "hint"), ("github", "hint"), ("github", "unknown")]


async def test_every_host_is_understood_over_the_wire(tmp_path: Path) -> None:
    body = pushed()
    digest = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    gitlab = json.dumps({"project": {"path_with_namespace": "org/ops"}}).encode()
    bitbucket = json.dumps({"repository": {"full_name": "org/ops"}}).encode()
    bitbucket_digest = hmac.new(SECRET, bitbucket, hashlib.sha256).hexdigest()
    calls = [
        ("/hook/gitlab", {"x-gitlab-token": SECRET.decode(), "X-Gitlab-Event": "Push Hook"},
         gitlab),
        ("/hook/gitea", {"X-Gitea-Signature": digest, "X-Gitea-Event": "push"}, body),
        ("/hook/forgejo", {"X-Forgejo-Signature": digest, "X-Forgejo-Event": "push"}, body),
        ("/hook/bitbucket",
         {"X-Hub-Signature": f"sha256={bitbucket_digest}", "X-Event-Key": "repo:push"}, bitbucket),
        ("/hook/generic", {"X-Signature": f"sha256={digest}"}, body),
    ]  # fmt: skip
    async with port(tmp_path, generous()) as one:
        for path, headers, sent in calls:
            assert await one.call(path, headers, sent) == (202, "looking for commits now"), path
            broken = {name: value[:-1] + "!" for name, value in headers.items()}
            assert (await one.call(path, broken, sent))[0] == 401, path
        names = ["gitlab", "gitea", "gitea", "bitbucket", "generic"]
        assert [host for host, outcome in one.outcomes if outcome == "hint"] == names
    assert set(one.polls.hints) <= {(OPS,), ()}


async def test_a_ping_is_answered_and_another_event_ignored(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        ping = signed(b"{}", event="ping")
        assert await one.call("/hook/github", ping, b"{}") == (200, "pong")
        issue = signed(b"{}", event="issues")
        assert (await one.call("/hook/github", issue, b"{}"))[0] == 202
        assert one.polls.hints == []


async def test_who_proves_nothing_always_gets_the_same_words(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        body = pushed()
        answers = {
            await one.github(body, b"a wrong secret that is long enough"),
            await one.call("/hook/github", {}, body),
            await one.call("/hook/github", {"X-Hub-Signature-256": "sha256=0"}, body),
            await one.call("/hook/github", signed(body), body + b" "),
            await one.call("/hook/github", signed(body, b"wrong" * 9), b"no json"),
            await one.call("/hook/nobody", signed(body), body),
            await one.call("/", signed(body), body),
            await one.call("/hook/github/../github", signed(body), body),
            await one.call("/hook/gitlab", {"X-Gitlab-Token": "wrong" * 9}, body),
        }
        assert answers == {(401, "not signed with a secret that is valid here")}
        assert one.polls.hints == []
        assert {outcome for _, outcome in one.outcomes} == {"unsigned"}


async def test_another_method_and_a_signed_body_of_another_kind_are_refused(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        assert (await one.call("/hook/github", {}, b"", "GET"))[0] == 405
        for body in (b"", b"[]", b"\xff", b"[" * 100_000):
            assert (await one.github(body))[0] == 400
        assert one.polls.hints == []


async def test_a_secret_is_replaced_while_it_listens(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        new = b"the next secret, long enough too"
        assert (await one.github(pushed(), new))[0] == 401
        one.secrets.write_bytes(SECRET + b"\n" + new)
        assert (await one.github(pushed(), new))[0] == 202
        assert (await one.github(pushed()))[0] == 202
        one.secrets.write_bytes(new)
        assert (await one.github(pushed()))[0] == 401
        one.secrets.write_bytes(b"")
        assert (await one.github(pushed(), new))[0] == 401


async def test_a_call_that_is_replayed_a_hundred_times_is_one_hint_and_one_more(
    tmp_path: Path,
) -> None:
    limits = Limits(calls=Bucket(1e6, 10**6), hint_seconds=3600.0)
    async with port(tmp_path, limits) as one:
        answers = [await one.github(pushed()) for _ in range(100)]
        assert {status for status, _ in answers} == {202}
        assert one.polls.hints == [(OPS,)]


# -- what strangers try --


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def pour(writer: asyncio.StreamWriter, piece: bytes) -> int:
    """Send 1 GB, or as much as is taken; give how much it was."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(SECONDS):
            while sent < 1_000_000_000:
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
    return sent


async def test_a_body_of_1_gb_is_cut_off_before_it_is_read(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        head = "POST /hook/github HTTP/1.1\nHost: hooks\nContent-Length: 1000000000"
        assert (await one.send(head))[0] == 413  # nothing of it was sent
        before = peak_kib()
        async with one.open() as (reader, writer):
            writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            assert await pour(writer, b"x" * 65536) < 32 * MAX_BODY  # what sockets hold
            assert (await answer(reader))[0] in {413, 0}
        assert peak_kib() - before < 32 * 1024
        assert one.outcomes == [("github", "large")] * 2


async def test_a_body_without_a_length_is_cut_off_where_it_becomes_too_large(
    tmp_path: Path,
) -> None:
    async with port(tmp_path, generous()) as one:
        head = ["POST /hook/github HTTP/1.1", "Host: hooks", "Transfer-Encoding: chunked"]
        head += [f"{name}: {value}" for name, value in signed(b"").items()]
        async with one.open() as (_, writer):
            writer.write("\r\n".join(head).encode() + b"\r\n\r\n")
            sent = await pour(writer, b"10000\r\n" + b"x" * 65536 + b"\r\n")
        assert MAX_BODY <= sent < 32 * MAX_BODY
        assert one.outcomes == [("github", "large")]


async def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        body = pushed()
        packed = {**signed(body), "Content-Encoding": "gzip"}
        assert (await one.call("/hook/github", packed, body))[0] == 202  # it is as it was signed


async def test_a_body_that_breaks_off_or_makes_no_sense_is_no_bug(tmp_path: Path) -> None:
    async with port(tmp_path, Limits(body_seconds=0.3)) as one:
        lines = ["POST /hook/github HTTP/1.1", "Host: hooks", "Expect: 100-continue"]
        lines += ["Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in signed(b"").items()]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        with capture_logs() as logs:
            async with one.open() as (reader, writer):
                writer.write(head)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
                writer.write(b"no length\r\n\r\n")
                assert (await answer(reader))[0] == 408  # aiohttp goes on waiting for a length
            async with one.open() as (reader, writer):
                writer.write(head)
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"5\r\nab")
            assert (await one.github(pushed()))[0] == 202
        assert [entry["event"] for entry in logs] == ["hint"]


async def test_a_client_that_asks_before_it_sends_is_told_to_or_not_to(tmp_path: Path) -> None:
    async with port(tmp_path, generous()) as one:
        body = pushed()
        asking = {**signed(body), "Expect": "100-continue"}
        status, text = await one.call("/hook/github", asking, body)
        assert status == 100
        assert text.startswith("HTTP/1.1 202")
        head = "POST /hook/github HTTP/1.1\nHost: x\nContent-Length: 9999999\nExpect: 100-continue"
        assert (await one.send(head))[0] == 413


async def test_a_body_that_dribbles_in_is_given_up_on(tmp_path: Path) -> None:
    limits = Limits(body_seconds=0.2)
    async with port(tmp_path, limits) as one:
        headers = "\n".join(f"{name}: {value}" for name, value in signed(b"x" * 99).items())
        head = f"POST /hook/github HTTP/1.1\nHost: hooks\nContent-Length: 99\n{headers}"
        async with one.open() as (reader, writer):
            writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            dribbling = asyncio.ensure_future(dribble(writer, b"x"))
            assert (await answer(reader))[0] == 408
            dribbling.cancel()


async def test_a_head_that_dribbles_in_is_given_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.2)
    async with port(tmp_path) as one, one.open() as (reader, writer):
        writer.write(b"POST /hook/github HTTP/1.1\r\nHost: hooks\r\n")
        dribbling = asyncio.ensure_future(dribble(writer, b"X-Slow: x\r\n"))
        assert (await answer(reader))[0] == 0
        dribbling.cancel()


async def dribble(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "head",
    [
        f"POST /hook/github HTTP/1.1\nHost: x\nX-Long: {'x' * 20_000}",
        f"POST /{'x' * 20_000} HTTP/1.1\nHost: x",
        "POST /hook/github HTTP/1.1\nHost: x\n" + "\n".join(f"X-{n}: x" for n in range(200)),
        "\x16\x03\x01 no http at all",
        "POST /hook/github HTTP/1.1\nHost: x\nContent-Length: -1",
        "POST /hook/github HTTP/1.1\nHost: x\nContent-Length: 3\nTransfer-Encoding: chunked",
    ],
)
async def test_a_head_that_is_none_is_refused_and_makes_no_line_in_the_log(
    tmp_path: Path, head: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with port(tmp_path) as one:
        with capture_logs() as logs:
            assert (await one.send(head))[0] == 400
        assert logs == []
        assert caplog.records == []
        assert (await one.github(pushed()))[0] == 202


async def test_who_comes_now_is_served_however_many_connections_are_held_open(
    tmp_path: Path,
) -> None:
    async with port(tmp_path) as one, holding(one, MAX_CONNECTIONS * 4) as held:
        assert (await one.github(pushed()))[0] == 202
        async with asyncio.timeout(SECONDS / 10):  # sooner than a head is waited for
            ended = await asyncio.gather(*map(ends, held[: MAX_CONNECTIONS * 3]))
        assert set(ended) == {b""}


@asynccontextmanager
async def holding(one: Port, connections: int) -> AsyncIterator[list[asyncio.StreamReader]]:
    async with AsyncExitStack() as held:
        yield [(await held.enter_async_context(one.open()))[0] for _ in range(connections)]


async def ends(reader: asyncio.StreamReader) -> bytes:
    with contextlib.suppress(ConnectionResetError):
        return await reader.read()
    return b""


async def test_a_flood_is_answered_429_and_costs_neither_hints_nor_lines_in_the_log(
    tmp_path: Path,
) -> None:
    limits = Limits(calls=Bucket(0.001, 10), refusals=Bucket(0.001, 5))
    async with port(tmp_path, limits) as one:
        with capture_logs() as logs:
            flood = await asyncio.gather(
                *(one.github(pushed(), b"a wrong secret that is long enough") for _ in range(20))
            )
            statuses = sorted(status for status, _ in flood)
            assert statuses == [401] * 5 + [429] * 15
            async with one.open() as (reader, writer):
                head = "\r\n".join(f"{name}: {value}" for name, value in signed(b"").items())
                writer.write(f"POST /hook/github HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
                wait = re.search(rb"\r\nRetry-After: (\d+)\r\n", await reader.read())
                assert wait is not None
                assert 900 < int(wait[1]) <= 1001
        assert [entry["event"] for entry in logs] == ["refused"] * 5
        assert one.polls.hints == []


async def test_floods_without_anything_like_a_signature_keep_no_signed_call_out(
    tmp_path: Path,
) -> None:
    limits = Limits(calls=Bucket(0.001, 1), refusals=Bucket(0.001, 5))
    async with port(tmp_path, limits) as one:
        flood = [await one.call("/hook/github", {}, b"") for _ in range(50)]
        assert {status for status, _ in flood} == {401, 429}
        assert (await one.github(pushed()))[0] == 202
