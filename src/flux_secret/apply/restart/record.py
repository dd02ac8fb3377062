"""What a namespace's Secrets were when we last looked, and which workloads are due ⇄ a ConfigMap.

It is written before anything is restarted and after, so that no restart is lost and none is done
twice, whenever the agent ends. Digests are in it, and no value.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret.apply.restart.values import Values
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import encoded, items, mapping, text, text_map, texts

SCHEMA: Final = 1
LABEL: Final = "flux-secret.io/restarts"
"""On every record; its value is the schema."""
PREFIX: Final = "flux-secret-restarts-"
MAX_BYTES: Final = 900 * 1024  # of a record; a ConfigMap holds 1 MiB
_DATA: Final = "restarts.json"


@dataclass(frozen=True, slots=True)
class Due:
    """A workload whose pods do not see the newest value yet."""

    workload: ObjectKey
    uid: str
    template: str
    """Digest of its pod template when the change was noted: another one has been rolled out since,
    with the new value."""
    since: dt.datetime
    ran: Mapping[str, Values]
    """Secret → the values that its pods were started with."""
    mark: str = ""
    """What its new pods carry; empty until it is restarted."""


@dataclass(frozen=True, slots=True)
class Record:
    """One namespace's, as it was read or is to be written."""

    namespace: str
    """The namespace of the Secrets; the record itself lies in the agent's."""
    secrets: Mapping[str, Values] = field(default_factory=dict)
    due: Mapping[ObjectKey, Due] = field(default_factory=dict)
    recent: tuple[dt.datetime, ...] = ()
    """When workloads were restarted during the last minute."""
    uid: str = ""
    resource_version: str = ""
    """Empty when there is no ConfigMap yet."""

    @property
    def name(self) -> str:
        """The ConfigMap's."""
        return PREFIX + self.namespace

    def to_body(self, agent_namespace: str) -> bytes:
        """Give the ConfigMap's JSON; raise `ConfigurationError` when it is too large."""
        metadata: dict[str, Json] = {
            "name": self.name,
            "namespace": agent_namespace,
            "labels": {LABEL: f"v{SCHEMA}"},
        }
        if self.resource_version:
            metadata |= {"uid": self.uid, "resourceVersion": self.resource_version}
        content = encoded(self._tree())
        if len(content) > MAX_BYTES:
            raise ConfigurationError(
                f"the Secrets of the namespace {self.namespace} have more values than one record "
                "of restarts holds",
                remedy="let fewer targets of that namespace restart workloads",
            )
        data: Json = {_DATA: content.decode()}
        return encoded(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )

    def _tree(self) -> Json:
        return {
            "schema": SCHEMA,
            "namespace": self.namespace,
            "secrets": {name: dict(values) for name, values in self.secrets.items()},
            "recent": [one.isoformat() for one in self.recent],
            "due": [
                {
                    "group": key.group,
                    "kind": key.kind,
                    "name": key.name,
                    "uid": one.uid,
                    "template": one.template,
                    "since": one.since.isoformat(),
                    "ran": {name: dict(values) for name, values in one.ran.items()},
                    "mark": one.mark,
                }
                for key, one in sorted(self.due.items())
            ],
        }


def read_record(config_map: Json) -> Record:
    """Parse a ConfigMap; raise `IntegrityError` when it is not what we wrote."""
    name = text(config_map, "metadata", "name")
    try:
        tree: Json = json.loads(text(config_map, "data", _DATA))
        namespace = text(tree, "namespace")
        if mapping(tree).get("schema") != SCHEMA or name != PREFIX + namespace:
            raise _damaged(config_map)
        return Record(
            namespace,
            _secrets(tree, "secrets"),
            {one.workload: one for one in _due(tree, namespace)},
            tuple(map(_time, texts(tree, "recent"))),
            text(config_map, "metadata", "uid"),
            text(config_map, "metadata", "resourceVersion"),
        )
    except (ValueError, RecursionError):
        raise _damaged(config_map) from None


def _due(tree: Json, namespace: str) -> Iterable[Due]:
    for item in items(tree, "due"):
        key = ObjectKey(text(item, "group"), text(item, "kind"), namespace, text(item, "name"))
        ran, since = _secrets(item, "ran"), _time(text(item, "since"))
        yield Due(key, text(item, "uid"), text(item, "template"), since, ran, text(item, "mark"))


def _secrets(tree: Json, place: str) -> Mapping[str, Values]:
    return {name: text_map(values) for name, values in mapping(tree, place).items()}


def _time(untrusted: str) -> dt.datetime:
    read = dt.datetime.fromisoformat(untrusted)
    return read.astimezone(dt.UTC) if read.tzinfo else read.replace(tzinfo=dt.UTC)


def _damaged(config_map: Json) -> IntegrityError:
    name = text(config_map, "metadata", "name")
    return IntegrityError(
        f"the record of restarts configmap/{name} is damaged",
        remedy="nothing is restarted in its namespace; delete it, and see yourself to the "
        "workloads whose Secret changed lately",
    )
