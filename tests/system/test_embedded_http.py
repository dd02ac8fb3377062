"""The embedded cluster over HTTP, as clients that are not kubectl meet it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from flux_secret.embedded import Asked, EmbeddedCluster

Tree = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedCluster]:
    async with EmbeddedCluster.serve() as running:
        yield running


@asynccontextmanager
async def _client(cluster: EmbeddedCluster) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {cluster.token}"}
    async with aiohttp.ClientSession(cluster.url, headers=headers) as session:
        yield session


@pytest.fixture
async def client(cluster: EmbeddedCluster) -> AsyncIterator[aiohttp.ClientSession]:
    async with _client(cluster) as session:
        yield session


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez", "/version"])
async def test_these_need_no_token(cluster: EmbeddedCluster, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(cluster.url + path) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "x"}])
@pytest.mark.parametrize("path", ["/api", MAPS, "/token/wrong/api", "/openapi/v3"])
async def test_everything_else_needs_the_token(
    cluster: EmbeddedCluster, headers: dict[str, str], path: str
) -> None:
    url = cluster.url + path
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")


async def test_the_token_may_stand_in_the_path(cluster: EmbeddedCluster) -> None:
    url = f"{cluster.url}/token/{cluster.token}{MAPS}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (await answer.json())["kind"] == "ConfigMapList"
    assert [one.path for one in cluster.requests] == [MAPS]


async def test_discovery_is_not_sent_again_when_it_is_known(client: aiohttp.ClientSession) -> None:
    headers = {"Accept": AGGREGATED}
    async with client.get("/apis", headers=headers) as answer:
        assert answer.content_type == "application/json"
        tag = answer.headers["ETag"]
    async with client.get("/apis", headers={**headers, "If-None-Match": tag}) as answer:
        assert answer.status == 304


async def test_large_answers_are_gzipped_when_asked(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster
) -> None:
    body = {"metadata": {"name": "big"}, "data": {"a": "x" * 200_000}}
    async with client.post(MAPS, json=body) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
    assert len(cluster.objects("configmaps")) == 1


async def test_a_watch_ends_when_its_time_is_over(client: aiohttp.ClientSession) -> None:
    query = {"watch": "true", "timeoutSeconds": "1"}
    async with client.get("/api/v1/namespaces", params=query) as answer:
        events = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert {event["type"] for event in events} == {"ADDED"}
    assert "default" in {event["object"]["metadata"]["name"] for event in events}


async def test_forbidden_requests_are_refused_before_anything_is_read(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster
) -> None:
    cluster.forbid("create", "configmaps", "default")
    async with client.post(MAPS, json={"metadata": {"name": "a"}}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (403, "Forbidden")
    cluster.allow_all()
    async with client.post(MAPS, json={"metadata": {"name": "a"}}) as answer:
        assert answer.status == 201


async def test_a_broken_group_answers_503_and_is_stale(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster
) -> None:
    cluster.break_group("metrics.k8s.io/v1beta1")
    async with client.get("/apis/metrics.k8s.io/v1beta1") as answer:
        assert answer.status == 503
    async with client.get("/apis", headers={"Accept": AGGREGATED}) as answer:
        groups = (await answer.json(content_type=None))["items"]
    stale = [one["metadata"]["name"] for one in groups
             if one["versions"][0]["freshness"] == "Stale"]  # fmt: skip
    assert stale == ["metrics.k8s.io"]


async def test_only_the_next_fitting_request_fails(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster
) -> None:
    def writes(asked: Asked) -> bool:
        return asked.is_write

    cluster.fail_next(writes, 500)
    async with client.get(MAPS) as answer:
        assert answer.status == 200
    for expected in (500, 201):
        async with client.post(MAPS, json={"metadata": {"name": "a"}}) as answer:
            assert answer.status == expected


async def test_an_unreachable_cluster_drops_the_connection(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster
) -> None:
    cluster.unreachable()
    with pytest.raises(aiohttp.ClientError):
        await client.get(MAPS)
    cluster.reachable()
    async with client.get(MAPS) as answer:
        assert answer.status == 200


async def test_requests_are_counted_by_verb_and_resource(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster
) -> None:
    for name in ("a", "b"):
        await (await client.post(MAPS, json={"metadata": {"name": name}})).read()
    await (await client.get(f"{MAPS}/a", headers={"User-Agent": "me/1"})).read()
    assert cluster.requests.by_verb() == {("create", "configmaps"): 2, ("get", "configmaps"): 1}
    assert [one.user_agent for one in cluster.requests][-1] == "me/1"
    assert len(cluster.requests.writes) == 2


@pytest.mark.parametrize(
    "body", ["{", "[]", "1", "\x00", '{"metadata": 1}', '{"metadata": {"name": {}}}']
)
async def test_a_body_that_is_no_object_is_a_bad_request(
    client: aiohttp.ClientSession, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.post(MAPS, data=body, headers=headers) as answer:
        assert answer.status == 400


async def test_a_bug_is_an_answer_and_no_excerpt(
    client: aiohttp.ClientSession, cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> Tree:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(type(cluster._state.store), "find", broken)
    async with client.get(f"{MAPS}/a") as answer:
        assert answer.status == 500
        assert "hunter2" not in await answer.text()
