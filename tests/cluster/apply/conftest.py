from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest

from cluster.apply.world import NAMESPACES, World
from flux_secret.outside.kubernetes import Connection, load
from flux_secret.outside.kubernetes.transport import Transport

_numbers = itertools.count()


class ControlPlane(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture
def connection(control_plane: ControlPlane) -> Connection:
    return load(Path(control_plane.kubeconfig))


@pytest.fixture(params=[False, True], ids=["here", "elsewhere"])
async def world(connection: Connection, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Lend a namespace that no other test uses; tests may run again on the same API server.

    Targets are applied here, and then as a worker does it.
    """
    name = f"apply-{os.getpid()}-{next(_numbers)}"
    async with Transport(connection) as transport:
        lent = World(connection, name, transport, elsewhere=request.param)
        tree = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await lent.send("POST", NAMESPACES.path(), tree)
        yield lent
