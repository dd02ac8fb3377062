"""How far a store was delivered ⇄ a ConfigMap that all replicas share: nobody goes back behind it.

Commits are in it, and no value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.approval import State
from flux_secret.model.names import StoreName
from flux_secret.outside.git.refs import is_object_id
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import encoded, mapping, text, texts

SCHEMA: Final = 1
LABEL: Final = "flux-secret.io/store"
"""On every record; its value is the schema."""
PREFIX: Final = "flux-secret-store-"
MAX_REWINDS: Final = 50
"""Accepted rewinds that are remembered: the oldest is forgotten for a new one."""
MAX_BYTES: Final = 900 * 1024  # of a record; a ConfigMap holds 1 MiB
_DATA: Final = "store.json"


@dataclass(frozen=True, slots=True)
class Standing:
    """One store's, as it was read or is to be written."""

    store: StoreName
    commit: str = ""
    """What was delivered from last; empty when nothing was."""
    url: str = ""
    """Where it came from, for people."""
    rewinds: tuple[str, ...] = ()
    """Commits that somebody accepted though they lead away; each counts once."""
    states: Mapping[str, State] = field(default_factory=dict)
    """What owners have agreed to last, by prefix; empty of a store that nobody owns."""
    anchor: str = ""
    """The trust anchor of the settings that `states` follow from; empty for none."""
    began: str = ""
    """The commit at which `states` began: it was trusted without being agreed to."""
    uid: str = ""
    resource_version: str = ""
    """Empty when there is no ConfigMap yet."""

    @property
    def name(self) -> str:
        """The ConfigMap's: a store's own name may have characters that none may have."""
        return PREFIX + hashlib.sha256(self.store.value.encode()).hexdigest()[:20]

    def to_body(self, namespace: str) -> bytes:
        """Give the ConfigMap's JSON."""
        metadata: dict[str, Json] = {
            "name": self.name,
            "namespace": namespace,
            "labels": {LABEL: f"v{SCHEMA}"},
        }
        if self.resource_version:
            metadata |= {"uid": self.uid, "resourceVersion": self.resource_version}
        content: Json = {
            "schema": SCHEMA,
            "store": self.store.value,
            "commit": self.commit,
            "url": self.url,
            "rewinds": list(self.rewinds),
            "anchor": self.anchor,
            "began": self.began,
            "approved": {
                prefix: [one.commit, one.content] for prefix, one in sorted(self.states.items())
            },
        }
        written = encoded(content)
        if len(written) > MAX_BYTES:
            raise ConfigurationError(
                f"the owners file of store {self.store} has more rules than one record holds",
                remedy="make rules for folders instead of entries, or several stores",
            )
        data: Json = {_DATA: written.decode()}
        return encoded(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )


def read_standing(config_map: Json) -> Standing:
    """Parse a ConfigMap; raise `IntegrityError` when it is not what we wrote."""
    try:
        tree: Json = json.loads(text(config_map, "data", _DATA))
    except (ValueError, RecursionError):
        tree = None
    read = Standing(
        StoreName(text(tree, "store")),
        text(tree, "commit"),
        text(tree, "url"),
        texts(tree, "rewinds"),
        {prefix: _state(config_map, one) for prefix, one in mapping(tree, "approved").items()},
        text(tree, "anchor"),
        text(tree, "began"),
        text(config_map, "metadata", "uid"),
        text(config_map, "metadata", "resourceVersion"),
    )
    is_ours = mapping(tree).get("schema") == SCHEMA and is_object_id(read.commit)
    if not is_ours or read.name != text(config_map, "metadata", "name"):
        raise damaged(text(config_map, "metadata", "name"))
    return read


def _state(config_map: Json, untrusted: Json) -> State:
    match untrusted:
        case [str(commit), str(content)] if is_object_id(commit):
            return State(commit, content)
    raise damaged(text(config_map, "metadata", "name"))


def damaged(name: str) -> IntegrityError:
    """Say that nobody knows how far a store was delivered."""
    return IntegrityError(
        f"configmap/{name}, which says how far a store was delivered, is damaged",
        remedy="nothing is read from that store; look at its head, then delete the ConfigMap: "
        "its newest commit counts from then on",
    )
