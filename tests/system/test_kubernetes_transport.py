"""The Kubernetes door against a real HTTP server on loopback, and real credential programs."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from flux_secret.errors import AccessError, ConfigurationError, IntegrityError, UnreachableError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes import Connection, Limits, connect, load
from flux_secret.outside.kubernetes.connection import ClientCertificate, Trust
from flux_secret.outside.kubernetes.transport import USER_AGENT, Transport

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LIMITS = Limits(total_seconds=5, max_answer_bytes=100_000, max_pause_seconds=0.01)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answer(request: web.Request) -> web.Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response({"headers": headers, "query": dict(request.query)})


async def echo(request: web.Request) -> web.StreamResponse:
    return answer(request)


async def test_every_request_says_who_we_are_and_takes_gzip() -> None:
    async with serving(echo) as url, Transport(Connection(url), LIMITS) as transport:
        got = await transport.send("GET", "/x?a=b%2Fc", params={"d": "e f"})
        seen = json.loads(got.untrusted_body)
        assert seen["headers"]["user-agent"] == USER_AGENT
        assert seen["headers"]["accept-encoding"] == "gzip"
        assert seen["query"] == {"a": "b/c", "d": "e f"}
        assert "authorization" not in seen["headers"]


async def test_a_gzipped_answer_that_unpacks_to_too_much_is_refused() -> None:
    async def bomb(_: web.Request) -> web.StreamResponse:
        packed = gzip.compress(b" " * 10_000_000)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as url, Transport(Connection(url), LIMITS) as transport:
        with pytest.raises(UnreachableError, match="larger than 100000 bytes"):
            await transport.send("GET", "/")


async def test_an_answer_that_never_ends_in_time_is_unreachable() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.Event().wait()
        return response

    limits = replace(LIMITS, total_seconds=0.2)
    async with serving(slow) as url, Transport(Connection(url), limits) as transport:
        with pytest.raises(UnreachableError, match="does not answer in time") as caught:
            await transport.send("GET", "/")
        assert caught.value.__context__ is None


async def test_a_connection_that_breaks_is_tried_again() -> None:
    calls = []

    async def breaking(request: web.Request) -> web.StreamResponse:
        calls.append(1)
        if len(calls) < 3 and request.transport is not None:
            request.transport.abort()
        return answer(request)

    async with serving(breaking) as url, Transport(Connection(url), LIMITS) as transport:
        assert (await transport.send("GET", "/", repeatable=True)).code == 200
        calls.clear()
        with pytest.raises(UnreachableError) as caught:
            await transport.send("POST", "/", body=b'{"password": "hunter2"}')
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


async def test_a_redirect_is_not_followed() -> None:
    async def away(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"})

    async with serving(away) as url, Transport(Connection(url), LIMITS) as transport:
        assert (await transport.send("GET", "/")).code == 307


async def test_something_that_is_no_api_server_says_so() -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>login</html>", content_type="text/html")

    async with serving(page) as url, connect(Connection(url), LIMITS) as client:
        with pytest.raises(UnreachableError, match="not a JSON object"):
            await client.kinds()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a server's and a client's certificate, each its own authority."""
    place = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client"):
        subprocess.run(
            [
                "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:kubernetes.default",
                "-keyout", str(place / f"{name}.key"), "-out", str(place / f"{name}.crt"),
            ],
            check=True, capture_output=True, env={}, timeout=30,
        )  # fmt: skip
    return place


def server_context(place: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / "server.crt", place / "server.key")
    context.load_verify_locations(place / "client.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def peer(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    seen = request.transport.get_extra_info("peercert")
    return web.json_response({"peer": str(seen.get("subject")) if seen else ""})


async def test_a_certificate_that_is_not_trusted_ends_it(certificates: Path) -> None:
    async with (
        serving(peer, server_context(certificates)) as url,
        Transport(Connection(url), LIMITS) as transport,
    ):
        with pytest.raises(IntegrityError, match="is not trusted"):
            await transport.send("GET", "/", repeatable=True)
        assert transport.traffic.requests == {"GET": 1}, "it is not tried again"


async def test_authority_server_name_and_insecure_are_honoured(certificates: Path) -> None:
    authority = (certificates / "server.crt").read_text()
    async with serving(peer, server_context(certificates)) as url:
        for trust in (
            Trust(authority),
            Trust(authority, server_name="kubernetes.default"),
            Trust(insecure=True),
        ):
            async with Transport(Connection(url, trust=trust), LIMITS) as transport:
                assert (await transport.send("GET", "/")).code == 200
        wrong = Trust(authority, server_name="other.example.org")
        async with Transport(Connection(url, trust=wrong), LIMITS) as transport:
            with pytest.raises(IntegrityError):
                await transport.send("GET", "/")


async def test_a_client_certificate_is_shown(certificates: Path) -> None:
    certificate = ClientCertificate(
        (certificates / "client.crt").read_bytes(),
        Plaintext((certificates / "client.key").read_bytes()),
    )
    trust = Trust((certificates / "server.crt").read_text())
    async with serving(peer, server_context(certificates)) as url:
        connection = Connection(url, trust=trust, certificate=certificate)
        async with Transport(connection, LIMITS) as transport:
            got = await transport.send("GET", "/")
            assert "client" in json.loads(got.untrusted_body)["peer"]


async def test_a_certificate_or_authority_that_is_none_is_our_error() -> None:
    nonsense = ClientCertificate(b"x", Plaintext(b"hunter2"))
    with pytest.raises(AccessError) as caught:
        async with Transport(Connection("https://127.0.0.1:9", certificate=nonsense)):
            pass
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        async with Transport(Connection("https://127.0.0.1:9", trust=Trust("x"))):
            pass


def kubeconfig(place: Path, script: str, version: str = "v1") -> Path:
    program = place / "login"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {
        "apiVersion": f"client.authentication.k8s.io/{version}", "command": "./login",
        "args": ["now"], "env": [{"name": "EXTRA", "value": "e"}], "installHint": "install login",
    }  # fmt: skip
    tree = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
    }
    file = place / "config"
    file.write_text(json.dumps(tree))
    return file


SCRIPT = """
import json, os, sys, base64
count = open("count", "a+"); count.write("x"); count.flush(); count.seek(0)
seen = [sys.argv[1:], os.environ["EXTRA"], os.environ["HOME"],
        json.loads(os.environ["KUBERNETES_EXEC_INFO"])["apiVersion"], len(count.read())]
token = base64.b64encode(json.dumps(seen).encode()).decode()
print(json.dumps({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
    "status": {"token": token, "expirationTimestamp": UNTIL}}))
"""


async def token(place: Path, script: str) -> Callable[[], Awaitable[list[object]]]:
    credentials = load(kubeconfig(place, script), environ={"HOME": "/h"}).credentials

    async def ask() -> list[object]:
        header = await credentials.authorization()
        assert header is not None
        seen: list[object] = json.loads(base64.b64decode(header.reveal().split()[1]))
        return seen

    return ask


async def test_an_exec_plugin_is_run_once_while_its_token_lasts(tmp_path: Path) -> None:
    ask = await token(tmp_path, SCRIPT.replace("UNTIL", '"2999-01-01T00:00:00Z"'))
    expected = [["now"], "e", "/h", "client.authentication.k8s.io/v1", 1]
    assert await ask() == expected
    assert await ask() == expected


async def test_an_expired_token_is_asked_for_again(tmp_path: Path) -> None:
    ask = await token(tmp_path, SCRIPT.replace("UNTIL", '"2001-01-01T00:00:00Z"'))
    assert (await ask())[-1] == 1
    assert (await ask())[-1] == 2


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("print('hunter2'); raise SystemExit(3)", "ended with 3"),
        ("print('hunter2')", "printed no token"),
        ("print('{}')", "printed no token"),
        (
            """print('{"apiVersion": "x", "status": {"token": "hunter2"}}')""",
            "printed no token",
        ),
    ],
)
async def test_a_plugin_that_fails_says_so_without_its_output(
    tmp_path: Path, script: str, said: str
) -> None:
    ask = await token(tmp_path, script)
    with pytest.raises(AccessError, match=said) as caught:
        await ask()
    assert "hunter2" not in caught.value.what + caught.value.remedy


async def test_no_write_takes_longer_than_what_is_left_of_the_lease() -> None:
    seen = []

    async def slow(request: web.Request) -> web.StreamResponse:
        seen.append(request.method)
        if request.method != "GET":
            await asyncio.Event().wait()
        return answer(request)

    left = [0.2]
    limits = replace(LIMITS, seconds_left=lambda: left[0], total_seconds=60)
    async with serving(slow) as url, Transport(Connection(url), limits) as transport:
        with pytest.raises(UnreachableError, match="does not answer in time"):
            await transport.send("PATCH", "/", body=b"{}")
        left[0] = 0.0
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(UnreachableError, match="could not renew its lease"):
                await transport.send(method, "/", body=b"{}")
        assert (await transport.send("GET", "/")).code == 200
    assert seen == ["PATCH", "GET"], "what came too late was not even sent"


@pytest.mark.parametrize(("code", "there"), [(200, True), (403, True), (404, True), (500, False)])
async def test_an_api_server_is_there_when_it_answers_and_is_not_broken(
    code: int, *, there: bool
) -> None:
    asked: list[str] = []

    async def answering(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=code)

    async with serving(answering) as url, connect(Connection(url), LIMITS) as client:
        if there:
            await client.ping()
        else:
            with pytest.raises(UnreachableError, match="not ready"):
                await client.ping()
    assert asked == ["/readyz"]


async def test_an_api_server_that_is_gone_is_not_there() -> None:
    async with serving(echo) as url:
        pass
    async with connect(Connection(url), LIMITS) as client:
        with pytest.raises(UnreachableError):
            await client.ping()
