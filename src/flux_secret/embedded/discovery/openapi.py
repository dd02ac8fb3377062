"""The catalog → as much OpenAPI v3 as kubectl needs to know that the server validates fields.

kubectl looks for a PATCH of the kind with the parameter `fieldValidation` and then leaves
validation to the server (cli-runtime resource/query_param_verifier_v3.go). No schemas are served:
`kubectl explain` has none to explain, and `kubectl apply` patches with the types it knows itself.
"""

from __future__ import annotations

import hashlib

from flux_secret.embedded.discovery.documents import Discovery
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.tree import Tree


def index(discovery: Discovery) -> Tree:
    """Give the addresses of the documents."""
    paths = {}
    for group, version in discovery.group_versions():
        path = f"apis/{group}/{version}" if group else f"api/{version}"
        kinds = [kind.plural for kind in discovery.kinds() if kind.group == group]
        digest = hashlib.sha256(repr(kinds).encode()).hexdigest()[:32].upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(discovery: Discovery, group: str, version: str) -> Tree | None:
    """Give the document of a group and version."""
    found = [k for k in discovery.kinds() if (k.group, k.version) == (group, version)]
    if not found:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "flux-secret embedded cluster", "version": version},
        "paths": {_path(kind): _operations(kind) for kind in found if "patch" in kind.verbs},
        "components": {"schemas": {}},
    }


def _path(kind: Kind) -> str:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    inside = "/namespaces/{namespace}" if kind.namespaced else ""
    return f"{root}{inside}/{kind.plural}/{{name}}"


def _operations(kind: Kind) -> Tree:
    names = ("dryRun", "fieldManager", "fieldValidation")
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in names
    ]
    return {
        "patch": {
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": {
                "group": kind.group,
                "version": kind.version,
                "kind": kind.kind,
            },
        }
    }
