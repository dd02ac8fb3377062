"""An API server of a few objects, for restarts: what it holds, what was asked, what it refuses."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from flux_secret.apply.digest import KEY_BYTES, DigestKey
from flux_secret.apply.inventory import Entry, Inventory, TargetId
from flux_secret.apply.restart.restarter import Restarter
from flux_secret.apply.restart.values import digests
from flux_secret.apply.scope import Wanted
from flux_secret.errors import FluxSecretError, ForbiddenError
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.record import Recorder
from flux_secret.model.restart import RestartPolicy
from flux_secret.model.target import Source, Target
from flux_secret.outside.kubernetes import (
    Applied,
    Client,
    ConflictError,
    Kinds,
    LiveObject,
    ServedKind,
)
from unit.apply.builders import CONFIG_MAPS, DEPLOYMENTS, SECRETS

SOURCE = Source(GitUrl.parse("ssh://git@example.org/ops"), "main")
KEY = DigestKey(Plaintext(bytes(KEY_BYTES)))
MONDAY = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)
Tree = dict[str, Any]
MARK = "flux-secret.io/restarted-for"


def target(path: str = "demo", policy: RestartPolicy | None = None, account: str = "") -> Target:
    return Target(SOURCE, path, restart=policy or RestartPolicy(), service_account=account)


def web(name: str = "web", namespace: str = "dev") -> ObjectKey:
    return ObjectKey("apps", "Deployment", namespace, name)


def secret(name: str = "s", namespace: str = "dev") -> ObjectKey:
    return ObjectKey("", "Secret", namespace, name)


def values(key: ObjectKey, value: str) -> Mapping[str, str]:
    return digests(KEY, Wanted(key, SECRETS, {}, {"k": Plaintext(value.encode())}, ""))


def refusing(
    *requests: str, with_: type[FluxSecretError] = ForbiddenError
) -> Callable[[str], FluxSecretError | None]:
    def refuses(request: str) -> FluxSecretError | None:
        found = any(request.startswith(one) for one in requests)
        return with_("not allowed", remedy="allow it") if found else None

    return refuses


@dataclass
class FakeCluster:
    """What is there, as whoever asks sees it."""

    objects: dict[tuple[str, str, str], Tree] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuses: Callable[[str], FluxSecretError | None] = lambda _request: None
    now: dt.datetime = MONDAY
    version: int = 0

    def __post_init__(self) -> None:
        state = {"data": {"digest-key": "A" * 43 + "="}}
        self.objects["Secret", "flux", "flux-secret-state"] = state

    # -- what others do --

    def deliver(self, one: Target, held: Mapping[ObjectKey, str], *others: ObjectKey) -> Delivery:
        """Write the list of a target as a delivery does: Secrets with their values, others."""
        name = TargetId.of(one)
        entries = {key: Entry(key, "uid", values=values(key, said)) for key, said in held.items()}
        entries |= {key: Entry(key, "uid") for key in others}
        self._store("ConfigMap", "flux", json.loads(Inventory(name, "flux", entries).to_body()))
        delivery = Delivery(one)
        for key in held:
            delivery.changes.add(Change(key, Action.CONFIGURED))
        return delivery

    def run(self, key: ObjectKey, *secrets: str) -> ObjectKey:
        """Have a Deployment that uses Secrets."""
        env = [{"secretRef": {"name": name}} for name in secrets or ["s"]]
        template = {"metadata": {"annotations": {}}, "spec": {"containers": [{"envFrom": env}]}}
        self.objects["Deployment", key.namespace, key.name] = {
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": "uid"},
            "spec": {
                "template": template,
                "selector": {"matchLabels": {"app": key.name}},
                "replicas": 1,
            },
        }
        return key

    def marks(self) -> dict[str, str]:
        """Give what each Deployment's template carries."""
        return {
            name: tree["spec"]["template"]["metadata"]["annotations"].get(MARK, "")
            for (kind, _, name), tree in sorted(self.objects.items())
            if kind == "Deployment"
        }

    @property
    def restarted(self) -> list[str]:
        return [name for name, mark in self.marks().items() if mark]

    def restarter(
        self,
        accounts: Mapping[str, FakeCluster] | None = None,
        recorder: Recorder | None = None,
    ) -> Restarter:
        def acting(account: str) -> Client:
            return cast("Client", (accounts or {}).get(account, self))

        return Restarter(cast("Client", self), "flux", lambda: self.now, acting, recorder)

    # -- what is asked --

    def _ask(self, request: str) -> None:
        self.asked.append(request)
        if error := self.refuses(request):
            raise error

    def _store(self, kind: str, namespace: str, tree: Tree) -> LiveObject:
        self.version += 1
        tree["metadata"] |= {"uid": "uid", "resourceVersion": str(self.version)}
        self.objects[kind, namespace, tree["metadata"]["name"]] = tree
        return LiveObject.parse(tree)

    async def kinds(self) -> Kinds:
        return Kinds((CONFIG_MAPS, SECRETS, DEPLOYMENTS))

    async def list(self, kind: ServedKind, namespace: str, labels: str) -> Sequence[Tree]:
        self._ask(f"list {kind.plural} {namespace} {labels}")
        return [
            tree
            for (name, place, _), tree in self.objects.items()
            if (name, place) == (kind.kind, namespace)
            and (kind != CONFIG_MAPS or _has(tree["metadata"]["labels"], labels))
        ]

    async def list_metadata(
        self, kind: ServedKind, namespace: str, labels: str = ""
    ) -> Sequence[LiveObject]:
        self._ask(f"list {kind.plural} {namespace} {labels}")
        return []

    async def get(self, kind: ServedKind, namespace: str, name: str) -> Tree | None:
        self._ask(f"get {kind.plural} {namespace}/{name}")
        return self.objects.get((kind.kind, namespace, name))

    async def create(self, kind: ServedKind, namespace: str, _name: str, body: bytes) -> LiveObject:
        tree = json.loads(body)
        self._ask(f"create {kind.plural} {namespace}/{tree['metadata']['name']}")
        return self._store(kind.kind, namespace, tree)

    async def replace(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> LiveObject:
        self._ask(f"update {kind.plural} {namespace}/{name}")
        tree, live = json.loads(body), self.objects[kind.kind, namespace, name]
        if tree["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise ConflictError("somebody else wrote it")
        return self._store(kind.kind, namespace, tree)

    async def own(
        self, kind: ServedKind, namespace: str, name: str, body: bytes, manager: str
    ) -> Applied:
        self._ask(f"patch {kind.plural} {namespace}/{name} as {manager}")
        tree = json.loads(body)
        noted = tree["spec"]["template"]["metadata"]["annotations"]
        live = self.objects[kind.kind, namespace, name]
        assert tree["metadata"]["uid"] == live["metadata"]["uid"]
        template = live["spec"]["template"]
        template["metadata"] = {"annotations": {**template["metadata"]["annotations"], **noted}}
        return Applied(LiveObject(name, namespace, "uid", "8", {}, {}, ()), created=False)


def _has(labels: Mapping[str, str], selector: str) -> bool:
    name, has_value, value = selector.partition("=")
    return name in labels and (not has_value or labels[name] == value)
