"""One request → one answer, within limits: sizes, times, and how often it is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import io
import math
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TypedDict

import aiohttp
from yarl import URL

from flux_secret import __version__
from flux_secret.errors import FluxSecretError, IntegrityError, UnreachableError
from flux_secret.outside.kubernetes import tls
from flux_secret.outside.kubernetes.connection import Connection
from flux_secret.outside.kubernetes.pool import Pool

MIB: Final = 1024 * 1024
USER_AGENT: Final = f"flux-secret/{__version__}"
_TRY_LATER: Final = frozenset({429, 503})
_NO_PARAMS: Final[Mapping[str, str]] = {}


def _always() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    connect_seconds: float = 10.0
    total_seconds: float = 30.0
    max_answer_bytes: int = 64 * MIB
    connections: int = 32
    tries: int = 4
    """How often a GET or a server-side apply is sent at most."""
    max_pause_seconds: float = 5.0
    """The longest wait between two tries, whatever Retry-After says."""
    seconds_left: Callable[[], float] = _always
    """How long anything may still be written: what is left of a lease (design decision 10).

    No write takes longer than that, and none is sent when nothing is left."""
    silent_seconds: float = 330.0
    """How long a watch may say nothing; a quiet kind has no bookmark in minutes (measured)."""
    max_line_bytes: int = 8 * MIB
    """One event of a watch; etcd takes objects of 1.5 MiB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `untrusted_body` may hold secrets: it never goes to a log."""

    code: int
    untrusted_body: bytes = field(repr=False)
    account: str = ""
    """In whose name it was asked: a service account, `NAMESPACE:NAME`; empty for our own."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on: what is in `untrusted_lines` may hold secrets."""

    code: int
    retry_after_seconds: float
    """Of a refusal; 1 when it does not say."""
    untrusted_lines: AsyncIterator[bytes] = field(repr=False)


@dataclass(slots=True)
class Traffic:
    """How many requests were made, by method: for tests, benchmarks and metrics."""

    requests: dict[str, int] = field(default_factory=dict)

    def count(self, method: str) -> None:
        """Note one more."""
        self.requests[method] = self.requests.get(method, 0) + 1

    def add(self, others: Mapping[str, int]) -> None:
        """Count what somebody else has asked for us."""
        for method, count in others.items():
            self.requests[method] = self.requests.get(method, 0) + count

    @property
    def writes(self) -> int:
        """How many requests could have changed something."""
        return sum(count for method, count in self.requests.items() if method != "GET")

    def __str__(self) -> str:
        return " ".join(f"{method} {count}" for method, count in sorted(self.requests.items()))


class _Arguments(TypedDict):
    url: URL
    headers: Mapping[str, str]
    proxy: str | None
    allow_redirects: bool
    server_hostname: str | None


class Transport:
    """An HTTP connection pool to one API server; opened with `async with`."""

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        *,
        trust: ssl.SSLContext | bool | None = None,
    ) -> None:
        """Begin; `trust` is `tls.context` of the connection where that was made before."""
        self._connection = connection
        self._trust = trust
        self._limits = limits or Limits()
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self.traffic = Traffic()
        self._account = ""

    async def __aenter__(self) -> Self:
        context = tls.context(self._connection) if self._trust is None else self._trust
        self._session = self._opened(context=context, connections=self._limits.connections)
        self._streams = self._opened(
            context=context, connections=0
        )  # any number: each watch has one
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in (self._session, self._streams):
            if session is not None:
                await session.close()
        self._session = self._streams = None

    def _opened(self, *, context: ssl.SSLContext | bool, connections: int) -> aiohttp.ClientSession:
        limits = self._limits
        return aiohttp.ClientSession(
            connector=Pool(context=context, connections=connections),
            timeout=aiohttp.ClientTimeout(
                total=limits.total_seconds, sock_connect=limits.connect_seconds
            ),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"},
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def acting_as(self, account: str) -> Self:
        """Give the same connections in the name of a service account, `NAMESPACE:NAME`.

        The API server gives it its groups by itself (user impersonation).
        """
        other = copy.copy(self)
        other._account = account  # noqa: SLF001 -- our own copy
        return other

    async def send(  # noqa: PLR0913 -- an HTTP request has these parts
        self,
        method: str,
        path: str,
        *,
        accept: str = "application/json",
        params: Mapping[str, str] = _NO_PARAMS,
        body: bytes | None = None,
        content_type: str = "application/json",
        repeatable: bool = False,
    ) -> Answer:
        """Send; when `repeatable`, again after 429, 503 or a broken connection.

        A 401 is answered once with renewed credentials. Raises `UnreachableError`,
        `IntegrityError` (certificate) and `AccessError` (no credentials).
        """
        headers = {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        tries = self._limits.tries if repeatable else 1
        renewed = False
        for attempt in range(1, tries + 2):  # one more for renewed credentials
            last = attempt >= tries + renewed
            try:
                answer, pause = await self._once(method, path, headers, params, body)
            except UnreachableError:
                if last:
                    raise
                await asyncio.sleep(min(0.1 * 2**attempt, self._limits.max_pause_seconds))
                continue
            if answer.code == 401 and not renewed:  # noqa: PLR2004 -- HTTP
                self._connection.credentials.refused()
                renewed = True
            elif answer.code in _TRY_LATER and not last:
                await asyncio.sleep(min(pause, self._limits.max_pause_seconds))
            else:
                return answer
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, path: str, *, accept: str, seconds: float) -> AsyncIterator[Stream]:
        """Open a GET that answers line by line, for `seconds` at most.

        Entered when the API server has begun to answer, whatever the code. Reading it raises
        `UnreachableError` when it breaks, is silent for too long, or a line is too large.
        """
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        response = await self._begun(path, headers, seconds)
        if response.status == 401:  # noqa: PLR2004 -- HTTP
            response.close()
            self._connection.credentials.refused()
            response = await self._begun(path, headers, seconds)
        try:
            pause = _seconds(response.headers.get("Retry-After", "1"))
            yield Stream(response.status, pause, self._lines(response))
        finally:
            response.close()

    async def _begun(
        self, path: str, headers: Mapping[str, str], seconds: float
    ) -> aiohttp.ClientResponse:
        limits = self._limits
        timeout = aiohttp.ClientTimeout(
            total=seconds, sock_connect=limits.connect_seconds, sock_read=limits.silent_seconds
        )
        failed = None
        arguments = await self._arguments(path, headers)
        try:
            async with asyncio.timeout(limits.total_seconds):
                return await _open(self._streams).get(**arguments, timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failed = _translated(self._connection.server, error)
        raise failed

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        rest, most, failed = b"", self._limits.max_line_bytes, None
        try:
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line
                if len(rest) > most:
                    raise UnreachableError(f"an event of a watch is larger than {most} bytes")
            if rest:
                yield rest
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failed = _translated(self._connection.server, error)
        if failed is not None:
            raise failed

    async def _arguments(
        self, path: str, headers: Mapping[str, str], params: Mapping[str, str] = _NO_PARAMS
    ) -> _Arguments:
        connection = self._connection
        header = await connection.credentials.authorization()
        acting = {"Impersonate-User": f"system:serviceaccount:{self._account}"}
        identity = {"Authorization": header.reveal().decode("latin-1")} if header else {}
        return {
            "url": URL(connection.server + path, encoded=True).update_query(params),
            "headers": {**headers, **identity, **(acting if self._account else {})},
            "proxy": connection.proxy,
            "allow_redirects": False,
            "server_hostname": connection.trust.server_name or None,
        }

    async def _once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        params: Mapping[str, str],
        body: bytes | None,
    ) -> tuple[Answer, float]:
        arguments, failed = await self._arguments(path, headers, params), None
        timeout = self._timeout(method)
        self.traffic.count(method)
        try:
            async with _open(self._session).request(
                method,
                **arguments,
                data=None if body is None else io.BytesIO(body),  # a large one goes in pieces
                timeout=timeout,
            ) as response:
                answer = Answer(response.status, await self._read(response), self._account)
                return answer, _seconds(response.headers.get("Retry-After", "1"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failed = _translated(self._connection.server, error)
        # Raised out here so that no context carries the request's headers and body along.
        raise failed

    def _timeout(self, method: str) -> aiohttp.ClientTimeout:
        """Say how long a request may take; raise `UnreachableError` for a write too late."""
        seconds = self._limits.total_seconds
        if method != "GET":
            seconds = min(seconds, self._limits.seconds_left())
        if seconds <= 0:
            raise UnreachableError(
                "this agent could not renew its lease, so it writes nothing: another replica may "
                "have taken over",
                remedy="it goes on by itself once the API server takes its renewals again",
            )
        return aiohttp.ClientTimeout(total=seconds, sock_connect=self._limits.connect_seconds)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_chunked(65536):
            size += len(chunk)
            if size > self._limits.max_answer_bytes:
                response.close()
                raise UnreachableError(
                    f"the API server's answer is larger than {self._limits.max_answer_bytes} bytes"
                )
            chunks.append(chunk)
        return b"".join(chunks)


def _open(session: aiohttp.ClientSession | None) -> aiohttp.ClientSession:
    assert session is not None, "open the transport with `async with`"  # noqa: S101
    return session


def _translated(server: str, error: Exception) -> FluxSecretError:
    host = URL(server).origin()
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return IntegrityError(
            f"the certificate of the API server {host} is not trusted",
            remedy="check certificate-authority-data in the kubeconfig",
        )
    if isinstance(error, TimeoutError):
        reason = "it does not answer in time"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error.strerror or type(error.os_error).__name__
    else:
        reason = type(error).__name__
    return UnreachableError(
        f"the API server {host} cannot be reached: {reason}",
        remedy="check that it runs and that the kubeconfig's server is right; it is tried again",
    )


def _seconds(retry_after: str) -> float:
    with contextlib.suppress(ValueError):
        return max(0.0, float(retry_after))
    return 1.0
