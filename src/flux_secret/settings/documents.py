"""`flux-secret.yaml` → Stores and Apps: the documents that the cluster would take, in a file.

What works there can be applied with kubectl later, unchanged. A document that names no namespace
lies in the agent's own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from flux_secret.errors import ConfigurationError
from flux_secret.model.app import App, AppName
from flux_secret.model.appspec import parse_app
from flux_secret.model.fields import Fields, bad
from flux_secret.model.store import Store, parse_stores

API_VERSION: Final = "flux-secret.io/v1alpha1"
MAX_FILE: Final = 4 * 1024 * 1024  # bytes
_DOCUMENT: Final = ("apiVersion", "kind", "metadata", "spec")


@dataclass(frozen=True, slots=True)
class Documents:
    """What a settings file says."""

    stores: Mapping[str, Store]
    apps: tuple[App, ...]


def load_documents(path: Path, agent_namespace: str) -> Documents:
    """Read a file; raise `ConfigurationError`, which names the document and the field."""
    stores: dict[str, object] = {}
    apps: dict[AppName, object] = {}
    for number, tree in enumerate(_documents(path), 1):
        where = f"{path}, document {number}"
        fields = Fields(tree, where, _DOCUMENT)
        if fields.text("apiVersion") != API_VERSION:
            raise bad(f"{where} is not of {API_VERSION}", f"write apiVersion: {API_VERSION}")
        kind = fields.one_of("kind", ("Store", "App"), "")
        metadata = fields.within("metadata", ("name", "namespace", "labels", "annotations"))
        name = metadata.name("name")
        namespace = metadata.name("namespace", agent_namespace)
        if kind == "Store" and namespace != agent_namespace:
            raise bad(
                f"{where}: Store {name} lies in namespace {namespace}",
                f"Stores are the agent's own: write {agent_namespace}, or leave it out",
            )
        known: dict[Any, object] = stores if kind == "Store" else apps
        key = name if kind == "Store" else AppName(namespace, name)
        if key in known:
            raise bad(f"{where}: {kind} {key} is there twice", "remove one of them")
        known[key] = fields.raw("spec")
    parsed = parse_stores(stores)
    return Documents(
        parsed,
        tuple(parse_app(name, spec).app(parsed, agent_namespace) for name, spec in apps.items()),
    )


def _documents(path: Path) -> Iterator[object]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", remedy="name another file with --config"
        ) from None
    if len(content) > MAX_FILE:
        raise ConfigurationError(
            f"{path} is larger than {MAX_FILE} bytes", remedy="apply its documents to the cluster"
        )
    try:
        yield from (tree for tree in yaml.load_all(content, _Loader) if tree is not None)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigurationError(
            f"{path}{line} is no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}",
            remedy="mend it; kubectl apply --dry-run=client -f says the same",
        ) from None


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: one of them would be lost in silence."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 -- PyYAML's own
    ) -> dict[Hashable, Any]:
        seen = set()
        for key, _value in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, "a field stands twice", key.start_mark
                )
            seen.add(key.value if isinstance(key.value, str) else id(key))
        return super().construct_mapping(node, deep)
