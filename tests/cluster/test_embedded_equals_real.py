"""The embedded cluster and a real API server make the same of the same writes.

Each seed is a sequence of applies, patches, updates, creates and deletes of one object: keyed
lists, sets, dropped fields, several managers, force and not, dry runs, nulls. What is left out of
the comparison, and why, is said in `equivalence.driver.comparable`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from cluster.control_plane import ControlPlane
from cluster.equivalence.cases import cases
from cluster.equivalence.driver import Server, ask, comparable, play
from cluster.equivalence.record import SEQUENCES, STEPS, prepare
from cluster.equivalence.sequences import KINDS, sequence
from flux_secret.embedded import EmbeddedCluster

AT_ONCE: Final = 8


@pytest.fixture
async def servers(
    control_plane: ControlPlane, tmp_path: Path
) -> AsyncIterator[tuple[Server, Server, str]]:
    namespace = f"equivalence-{secrets.token_hex(4)}"
    async with (
        EmbeddedCluster.serve() as cluster,
        Server.open(cluster.write_kubeconfig(tmp_path / "embedded")) as embedded,
        Server.open(control_plane.kubeconfig) as real,
    ):
        for server in (embedded, real):
            await prepare(server, namespace)
        yield embedded, real, namespace
        await real.send("DELETE", f"/api/v1/namespaces/{namespace}")


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[target.kind for target, _ in KINDS])
async def test_the_same_writes_give_the_same_objects_owners_and_codes(
    servers: tuple[Server, Server, str], kind: int
) -> None:
    embedded, real, namespace = servers
    limit = asyncio.Semaphore(AT_ONCE)

    async def difference(seed: int) -> str:
        planned = sequence(seed, STEPS)
        async with limit:
            ours, theirs = await asyncio.gather(
                play(embedded, planned, namespace), play(real, planned, namespace)
            )
        for index, (mine, right) in enumerate(zip(ours, theirs, strict=True)):
            got, wanted = comparable(*mine), comparable(*right)
            if got != wanted:
                step = planned.steps[index]
                where = f"seed {seed} step {index} {step}"
                return f"{where}\nembedded {_shown(got)}\nreal     {_shown(wanted)}"
        return ""

    seeds = range(kind, SEQUENCES, len(KINDS))
    found = await asyncio.gather(*(difference(seed) for seed in seeds))
    differences = [one for one in found if one]
    assert not differences, "\n\n".join(differences[:5])


async def test_what_is_seldom_asked_is_answered_alike(
    servers: tuple[Server, Server, str],
) -> None:
    embedded, real, namespace = servers
    differences = []
    for title, requests in cases():
        names = {"ns": namespace, "name": f"case-{secrets.token_hex(4)}"}
        ours, theirs = await asyncio.gather(
            ask(embedded, requests, names), ask(real, requests, names)
        )
        for index, (mine, right) in enumerate(zip(ours, theirs, strict=True)):
            got, wanted = _shown(comparable(*mine)), _shown(comparable(*right))
            if got != wanted:
                differences.append(f"{title}, step {index}\nembedded {got}\nreal     {wanted}")
    assert not differences, "\n\n".join(differences[:5])


def _shown(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=sorted)
