"""Every sequence and case → the digests of its answers, as `tests/vectors` keeps them.

    PYTHONPATH=src:tests:tools python tests/cluster/equivalence/record.py KUBECONFIG

writes down what a real API server answers, so that the embedded cluster can be held to it where
there is none.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from pathlib import Path
from typing import Final

from cluster.equivalence.cases import cases
from cluster.equivalence.driver import Sender, Server, ask, digest, play
from cluster.equivalence.sequences import DEFINITION, GROUP, sequence

VECTORS: Final = Path(__file__).parents[2] / "vectors" / "api-server-answers.json"
SEQUENCES: Final = 200
STEPS: Final = 8
ESTABLISH_TRIES: Final = 300
PAUSE_SECONDS: Final = 0.1


async def prepare(server: Sender, namespace: str) -> None:
    """Make a namespace and the definition, and wait until both can be used."""
    await server.send("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await server.send("POST", definitions, DEFINITION)
    things = f"/apis/{GROUP}/v1/namespaces/{namespace}/things"
    # a definition is served a moment after it is established, and its field manager after that
    body = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": {"name": "ready"}}
    query = {"fieldManager": "test"}
    for _ in range(ESTABLISH_TRIES):
        code, _answer = await server.send(
            "PATCH", f"{things}/ready", body, "application/apply-patch+yaml", query
        )
        if code in (200, 201):
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("the definition was not established")


async def answers(server: Sender, namespace: str) -> dict[str, list[str]]:
    """Send everything, one after the other; give the digests."""
    found: dict[str, list[str]] = {}
    for seed in range(SEQUENCES):
        given = await play(server, sequence(seed, STEPS), namespace)
        found[f"sequence {seed}"] = [digest(one, {"ns": namespace}) for one in given]
    for title, requests in cases():
        names = {"ns": namespace, "name": f"case-{secrets.token_hex(4)}"}
        given = await ask(server, requests, names)
        found[title] = [digest(one, names) for one in given]
    return found


async def _record(kubeconfig: Path) -> None:
    namespace = f"equivalence-{secrets.token_hex(4)}"
    async with Server.open(kubeconfig) as real:
        _code, version = await real.send("GET", "/version")
        await prepare(real, namespace)
        found = await answers(real, namespace)
        await real.send("DELETE", f"/api/v1/namespaces/{namespace}")
    lines = (f"{json.dumps(title)}: {json.dumps(digests)}" for title, digests in found.items())
    head = f'{{"version": {json.dumps(version["gitVersion"])}, "answers": {{\n'
    VECTORS.write_text(head + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    asyncio.run(_record(Path(sys.argv[1])))
