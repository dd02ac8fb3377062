"""A service account with few rights, for an agent to be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from cluster.apply.world import World, namespace
from flux_secret.outside.kubernetes import Client, Connection, ServedKind, connect
from flux_secret.outside.kubernetes.credentials import Header

ACCOUNTS = ServedKind("", "v1", "ServiceAccount", "serviceaccounts", namespaced=True)
RBAC = "rbac.authorization.k8s.io"
ROLES = ServedKind(RBAC, "v1", "Role", "roles", namespaced=True)
BINDINGS = ServedKind(RBAC, "v1", "RoleBinding", "rolebindings", namespaced=True)


@dataclass(frozen=True)
class Rights:
    """What the agent may do in the application's namespace; in its own it has what it needs."""

    resources: Sequence[str]
    verbs: Sequence[str] = ("*",)


@asynccontextmanager
async def agent_with(world: World, connection: Connection, rights: Rights) -> AsyncIterator[Client]:
    agent = f"{world.name}-flux"
    await world.send("POST", "/api/v1/namespaces", namespace(agent))
    await world.send("POST", ACCOUNTS.path(agent), {"metadata": {"name": "agent"}})
    await _allow(world, agent, Rights(["configmaps", "secrets"]))
    await _allow(world, world.name, rights)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = await world.send("POST", ACCOUNTS.path(agent, "agent") + "/token", request)
    as_agent = replace(connection, credentials=Header.bearer(token["status"]["token"]))
    async with connect(as_agent) as client:
        yield client


async def _allow(world: World, where: str, rights: Rights) -> None:
    rule = {"apiGroups": [""], "resources": [*rights.resources], "verbs": [*rights.verbs]}
    subject = {"kind": "ServiceAccount", "name": "agent", "namespace": f"{world.name}-flux"}
    ref = {"apiGroup": RBAC, "kind": "Role", "name": "agent"}
    await world.send("POST", ROLES.path(where), {"metadata": {"name": "agent"}, "rules": [rule]})
    binding = {"metadata": {"name": "agent"}, "roleRef": ref, "subjects": [subject]}
    await world.send("POST", BINDINGS.path(where), binding)
