"""A cluster as a function: requests go straight to `Api`, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flux_secret.embedded import address
from flux_secret.embedded.api import Answer, Api, Request
from flux_secret.embedded.faults import Faults
from flux_secret.embedded.state import State
from flux_secret.embedded.status import StatusError

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
Tree = dict[str, Any]


class Cluster:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.state = State(lambda: self.time)
        self.faults = Faults()
        self.api = Api(self.state, self.faults)
        self.warnings: list[str] = []

    def answer(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
        *,
        accept: str = "",
        user_agent: str = "tester/1",
    ) -> Answer:
        found = address.parse(path)
        assert found is not None
        untrusted = b"" if body is None else json.dumps(body).encode()
        request = Request(
            verb=address.verb_of(method, found, query or {}),
            address=found,
            query=query or {},
            untrusted_body=untrusted,
            content_type=content_type,
            accept=accept,
            user_agent=user_agent,
        )
        return self.api.answer(request)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        **query: str,
    ) -> Tree:
        answer = self.answer(method, path, body, content_type, query)
        self.warnings = answer.warnings
        return answer.tree

    def apply(self, path: str, body: Tree, manager: str = "m", **query: str) -> Tree:
        return self.send("PATCH", path, body, APPLY, fieldManager=manager, **query)

    def refuse(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        **query: str,
    ) -> Tree:
        """Send what must be refused; give the `Status`."""
        with pytest.raises(StatusError) as caught:
            self.send(method, path, body, content_type, **query)
        return caught.value.tree

    def wait(self) -> None:
        """Let a minute go by."""
        self.time += timedelta(minutes=1)

    def namespace(self, name: str) -> str:
        self.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return f"/api/v1/namespaces/{name}"


def config_map(name: str, **fields: object) -> Tree:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def owned_by(tree: Tree, manager: str) -> Tree:
    """Give the fields that a manager owns."""
    for entry in tree["metadata"].get("managedFields", []):
        if entry["manager"] == manager:
            fields: Tree = entry["fieldsV1"]
            return fields
    return {}
