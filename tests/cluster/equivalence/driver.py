"""Two API servers, the same writes: sends them and makes the answers comparable."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import yaml

from cluster.equivalence.cases import Request
from cluster.equivalence.sequences import Play, Step

Tree = dict[str, Any]
Trust = ssl.SSLContext | bool
ALLOCATED = ("clusterIP", "clusterIPs")
WORKED_ON = frozenset(
    {
        "DaemonSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "ReplicaSet",
        "ReplicationController",
        "StatefulSet",
    }
)
"""Kinds whose status a real control plane's controllers write."""
CONTROLLERS = frozenset({"kube-controller-manager"})


class Server:
    """One API server, reached by its kubeconfig."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, tls: Trust) -> None:
        self._session = session
        self._url = url
        self._tls = tls

    @classmethod
    @asynccontextmanager
    async def open(cls, kubeconfig: Path) -> AsyncIterator[Server]:
        config = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"]
        headers = {"Authorization": f"Bearer {user['token']}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            yield cls(session, cluster["server"], tls=_tls(cluster))

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Tree]:
        data = io.BytesIO(json.dumps(body).encode()) if body is not None else None
        headers = {"Content-Type": content_type, "User-Agent": "equivalence/1"}
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, params=query, ssl=self._tls
        ) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            tree: Tree = json.loads(text) if is_json else {"message": text}
            return answer.status, tree


def _named(config: Tree, section: str, name: str) -> Tree:
    found: Tree = next(one for one in config[section] if one["name"] == name)
    return found


def _tls(cluster: Tree) -> Trust:
    if cluster.get("insecure-skip-tls-verify"):
        return False
    if "certificate-authority-data" in cluster:
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return ssl.create_default_context(cadata=authority)
    if "certificate-authority" in cluster:
        return ssl.create_default_context(cafile=cluster["certificate-authority"])
    return True


class Sender(Protocol):
    """What a write is sent to."""

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Tree]: ...


async def play(server: Sender, sequence: Play, namespace: str) -> list[tuple[int, Tree]]:
    """Send the writes of a sequence; give every answer."""
    collection = sequence.target.collection(namespace)
    path = f"{collection}/{sequence.name}"
    answers: list[tuple[int, Tree]] = []
    live: Tree = {}
    for step in sequence.steps:
        if step.method == "POST":
            answer = await server.send("POST", collection, step.body, query=step.query)
        elif step.method == "PUT":
            body = _replacement(step, live)
            answer = await server.send("PUT", path, body, query=step.query)
        else:
            answer = await server.send(
                step.method, path, step.body, step.content_type, query=step.query
            )
        answers.append(answer)
        if answer[0] in (200, 201) and "dryRun" not in step.query:
            live = answer[1] if step.method != "DELETE" else {}
    return answers


async def ask(
    server: Sender, requests: Sequence[Request], names: Mapping[str, str]
) -> list[tuple[int, Tree]]:
    """Send the requests of a case; give every answer."""
    known = {**names, "uid": "", "rv": ""}
    answers: list[tuple[int, Tree]] = []
    for one in requests:
        path, body = _filled(one.path, known), _filled(one.body, known)
        answer = await server.send(one.method, path, body, one.content_type, one.query)
        metadata = answer[1].get("metadata") or {}
        if metadata.get("uid"):
            known["uid"], known["rv"] = metadata["uid"], metadata.get("resourceVersion", "")
        answers.append(answer)
    return answers


def _filled(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - a tree
    if isinstance(value, str):
        for name, known in names.items():
            value = value.replace(f"{{{name}}}", known)
        return value
    if isinstance(value, dict):
        return {key: _filled(one, names) for key, one in value.items()}
    return [_filled(one, names) for one in value] if isinstance(value, list) else value


def _replacement(step: Step, live: Tree) -> Tree:
    """What a PUT sends: the live object's metadata and the step's own fields."""
    body: Tree = copy.deepcopy(step.body)
    if live:
        metadata = {**copy.deepcopy(live["metadata"]), **body["metadata"]}
        if step.stale:
            metadata["resourceVersion"] = "1"
        elif body["kind"] in WORKED_ON:  # its controller may have written in between
            del metadata["resourceVersion"]
        body["metadata"] = metadata
        for name in ("clusterIP", "clusterIPs"):
            if name in live.get("spec", {}) and "ports" in (body.get("spec") or {}):
                body["spec"][name] = live["spec"][name]
    return body


def comparable(code: int, tree: Tree) -> Any:  # noqa: ANN401 - a tree to compare
    """Leave out what two servers can never have in common.

    Of objects: uid, resourceVersion, the times of creation and deletion, the times of
    managedFields (whether an entry has one is compared), addresses and node ports that were
    allocated, and what the controllers of a real control plane write to the status of workloads.
    Of errors: the message's wording; code, reason and the fields that are named stay.
    """
    if tree.get("kind") == "Status":
        if tree.get("status") == "Success":
            return (code, "Success")
        details = tree.get("details", {})
        causes = {(one.get("reason"), one.get("field")) for one in details.get("causes", [])}
        return (code, tree.get("reason"), sorted(causes, key=str))
    tree = copy.deepcopy(tree)
    metadata = tree["metadata"]
    for name in ("uid", "resourceVersion", "creationTimestamp"):
        metadata[name] = bool(metadata.get(name))
    entries = [one for one in metadata.get("managedFields", [])
               if one["manager"] not in CONTROLLERS]  # fmt: skip
    if "deletionTimestamp" in metadata:
        metadata["deletionTimestamp"] = True
    for entry in entries:
        entry["time"] = "time" in entry
    metadata["managedFields"] = sorted(entries, key=lambda one: json.dumps(one, sort_keys=True))
    if tree["kind"] == "Service":
        _without_allocated(tree["spec"])
    if tree["kind"] in WORKED_ON:
        tree.pop("status", None)
    return (code, tree)


def digest(answer: tuple[int, Tree], names: Mapping[str, str]) -> str:
    """Give `200:…`: the code, and a hash of what is comparable, without the names it stands for."""
    text = json.dumps(comparable(*answer), sort_keys=True)
    for name, stands_for in names.items():
        text = text.replace(stands_for, f"<{name}>")
    return f"{answer[0]}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _without_allocated(spec: Tree) -> None:
    for name in ALLOCATED:
        spec[name] = bool(spec.get(name))
    for port in spec.get("ports") or []:
        port["nodePort"] = bool(port.get("nodePort"))


__all__ = ["Sender", "Server", "ask", "comparable", "digest", "play"]
