"""A namespace of one's own on some API server, and what a person does there besides us."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flux_secret.apply.applier import ApplyRound, ClusterApplier
from flux_secret.apply.cluster import ApplyOptions
from flux_secret.apply.elsewhere import Elsewhere
from flux_secret.errors import FluxSecretError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Bundle, BundleItem, Manifest, Origin
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.restart import RestartPolicy
from flux_secret.model.target import Source, Target
from flux_secret.outside.kubernetes import Client, Connection, LiveObject, ServedKind, Traffic
from flux_secret.outside.kubernetes.body import text
from flux_secret.outside.kubernetes.transport import Transport
from flux_secret.outside.workers.messages import packed, unpacked
from flux_secret.reconcile.round import pay

COMMIT = "a" * 40
SECRETS = ServedKind("", "v1", "Secret", "secrets", namespaced=True)
CONFIG_MAPS = ServedKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
NAMESPACES = ServedKind("", "v1", "Namespace", "namespaces", namespaced=False)
DEPLOYMENTS = ServedKind("apps", "v1", "Deployment", "deployments", namespaced=True)
CRDS = ServedKind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
    namespaced=False,
)  # fmt: skip

Object = Mapping[str, Any]
Tree = dict[str, Any]


def item(tree: Object) -> BundleItem:
    """Make what the resolver makes: a Secret's values apart from its body."""
    api_version, metadata = tree["apiVersion"], tree["metadata"]
    group = api_version.rpartition("/")[0]
    key = ObjectKey(group, tree["kind"], metadata.get("namespace", ""), metadata["name"])
    values = {name: Plaintext(value) for name, value in tree.get("values", {}).items()}
    body = {name: value for name, value in tree.items() if name not in {"values", "origin"}}
    origin = tree.get("origin", Origin("test.yaml"))
    return BundleItem(Manifest(key, api_version, body, origin), values)


def secret(name: str, values: Mapping[str, bytes], **metadata: object) -> Object:
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **metadata},
        "type": "Opaque", "values": values,
    }  # fmt: skip


def config_map(name: str, data: Mapping[str, str], **metadata: object) -> Object:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata},
        "data": data,
    }  # fmt: skip


def deployment(name: str, replicas: int = 1, **metadata: object) -> Object:
    labels = {"app": name}
    container = {"name": "web", "image": "nginx:1.27", "resources": {}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "creationTimestamp": None, **metadata},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "creationTimestamp": None},
                "spec": {"containers": [container]},
            },
        },
        "status": {},
    }  # fmt: skip


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def crd(plural: str, group: str) -> Mapping[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": plural, "singular": plural[:-1], "kind": "Widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip


async def until_served(client: Client, group: str, *, served: bool) -> None:
    for _ in range(1000):
        found = (await client.kinds()).any_version(group, "Widget")
        if (found is not None) is served:
            return
    raise AssertionError("discovery never changed")


@dataclass
class Outcome:
    """What one pass did."""

    deliveries: list[Delivery]
    swept: ChangeSet
    traffic: Traffic
    sweep_error: FluxSecretError | None = None

    @property
    def changes(self) -> list[Change]:
        return [change for one in self.deliveries for change in one.changes] + list(self.swept)

    @property
    def lines(self) -> list[str]:
        return [str(change) for change in self.changes]

    def of(self, name: str) -> Change:
        """Give the last word about an object."""
        return [change for change in self.changes if change.key.name == name][-1]

    def action(self, name: str) -> Action:
        return self.of(name).action

    def error(self, name: str) -> FluxSecretError:
        """Give the last failure of an object: of two targets that want it, one may have it."""
        errors = [change.error for change in self.changes if change.key.name == name]
        error = next(filter(None, reversed(errors)), None)
        assert error is not None, self.lines
        return error


def across(words: Any) -> Any:  # noqa: ANN401 -- whatever crosses
    """Send them to another process and back."""
    return unpacked(packed(words))


async def elsewhere(applied: ApplyRound, delivery: Delivery) -> Elsewhere:
    """Apply as a worker does."""

    async def ask(question: object) -> Any:  # noqa: ANN401 -- as an `Ask` does
        try:
            return across(await applied.answer(across(question)))
        except FluxSecretError as error:
            raise across(error) from None

    cluster = applied._cluster
    order = across(await applied.order(delivery.target))
    return Elsewhere(cluster.client, cluster.options, order, ask)


@dataclass
class World:
    """An API server seen from one test."""

    connection: Connection
    name: str
    """Unique: the application's namespace is NAME, the agent's is NAME-flux."""
    transport: Transport
    restart: RestartPolicy | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    """In whose name an App's objects are applied, by its name."""
    elsewhere: bool = False
    """Whether each target is applied as in a worker: by words that cross to another process."""

    def __post_init__(self) -> None:
        self.client = Client(self.transport, "default")
        self.applier = self.new_applier()

    def new_applier(
        self,
        client: Client | None = None,
        *,
        adopt_existing: bool = False,
        confirmations: frozenset[str] = frozenset(),
        established_seconds: float = 60.0,
        fresh_seconds: float = 0.0,
        handover_seconds: float = 0.0,
    ) -> ClusterApplier:
        """Start a process anew: nothing is remembered but what lies in the cluster."""
        options = ApplyOptions(
            agent_namespace=f"{self.name}-flux",
            adopt_existing=adopt_existing,
            confirmations=confirmations,
            established_seconds=established_seconds,
            fresh_seconds=fresh_seconds,
            handover_seconds=handover_seconds,
        )
        self.applier = ClusterApplier(client or self.client, options)
        return self.applier

    async def deliver(
        self,
        targets: Mapping[str, Sequence[Object] | FluxSecretError],
        *,
        commit: str = COMMIT,
        prune: bool = True,
        applier: ClusterApplier | None = None,
    ) -> Outcome:
        """Make one pass over targets: path → objects, or how its generation failed."""
        applied = (applier or self.applier).round()
        before = dict(self.client.traffic.requests)
        deliveries = await asyncio.gather(
            *(
                self.one(path, what, commit=commit, prune=prune, applier=applied)
                for path, what in targets.items()
            )
        )
        outcome = Outcome(list(deliveries), ChangeSet(), Traffic())
        try:
            await self.sweep(applied, deliveries, targets, outcome.swept)
        except FluxSecretError as error:
            outcome.sweep_error = error
        for method, count in self.client.traffic.requests.items():
            outcome.traffic.requests[method] = count - before.get(method, 0)
        return outcome

    async def sweep(
        self,
        applied: ApplyRound,
        deliveries: Sequence[Delivery],
        targets: Mapping[str, Sequence[Object] | FluxSecretError],
        swept: ChangeSet,
    ) -> None:
        """Sweep, and deliver once more what was handed over to targets applied elsewhere."""
        for owed in await applied.sweep(deliveries, swept):
            first = owed.delivery
            assert first.revision is not None
            again = await self.one(
                first.target.path, targets[first.target.path],
                commit=first.revision.commit, prune=first.target.prune, applier=applied,
            )  # fmt: skip
            pay(owed, again, swept)

    async def one(
        self,
        path: str,
        what: Sequence[Object] | FluxSecretError,
        *,
        applier: ApplyRound,
        commit: str = COMMIT,
        prune: bool = True,
    ) -> Delivery:
        """Deliver one target, and do not sweep."""
        delivery = Delivery(self.target(path, prune=prune), Revision(commit))
        if isinstance(what, FluxSecretError):
            delivery.error = what
            return delivery
        bundle = Bundle(tuple(item(tree) for tree in what))
        try:
            applies = await elsewhere(applier, delivery) if self.elsewhere else applier
            await applies.apply(delivery, bundle, delivery.changes)
        except FluxSecretError as error:
            delivery.error = error
        return delivery

    def target(self, path: str, *, prune: bool = True) -> Target:
        """Give a target; one whose path has the form `@APP` is an App of that name."""
        source = Source(GitUrl.parse("ssh://git@example.org/ops"), "main")
        app = f"{self.name}/{path[1:]}" if path.startswith("@") else ""
        return Target(
            source, path, prune=prune, default_namespace=self.name, restart=self.restart, app=app,
            service_account=self.accounts.get(path, ""),
        )  # fmt: skip

    async def live(self, kind: ServedKind, name: str) -> LiveObject | None:
        return await self.client.metadata(kind, self.name if kind.namespaced else "", name)

    async def must(self, kind: ServedKind, name: str) -> LiveObject:
        found = await self.live(kind, name)
        assert found is not None, f"{kind.kind} {name} is not there"
        return found

    async def read(self, kind: ServedKind, name: str) -> Tree:
        found = await self.client.get(kind, self.name, name)
        assert found is not None, f"{kind.kind} {name} is not there"
        return dict(found)

    async def inventories(self) -> dict[str, Tree]:
        """Give our inventories by name."""
        selector = "flux-secret.io/inventory"
        listed = await self.client.list(CONFIG_MAPS, f"{self.name}-flux", selector)
        return {text(found, "metadata", "name"): dict(found) for found in listed}

    async def rewrite_inventory(self, name: str, content: str) -> None:
        patch = {"data": {"inventory.json": content}}
        merge = "application/merge-patch+json"
        path = CONFIG_MAPS.path(f"{self.name}-flux", name)
        await self.send("PATCH", path, patch, content_type=merge)

    async def values(self, name: str) -> dict[str, bytes]:
        found = await self.read(SECRETS, name)
        return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}

    async def make(self, kind: ServedKind, tree: Object, manager: str = "kubectl-create") -> Tree:
        """Create as somebody else does."""
        tree = dict(tree)
        if "values" in tree:
            values = tree.pop("values")
            tree["data"] = {key: base64.b64encode(value).decode() for key, value in values.items()}
        return await self.send("POST", kind.path(self.name), tree, manager=manager)

    async def edit(
        self, kind: ServedKind, name: str, patch: Object, manager: str = "kubectl-edit"
    ) -> Tree:
        """Patch as somebody else does."""
        path = kind.path(self.name if kind.namespaced else "", name)
        merge = "application/merge-patch+json"
        return await self.send("PATCH", path, patch, manager=manager, content_type=merge)

    async def delete(self, kind: ServedKind, name: str) -> None:
        await self.send("DELETE", kind.path(self.name, name), {})

    async def send(
        self,
        method: str,
        path: str,
        body: Object,
        *,
        manager: str = "tests",
        content_type: str = "application/json",
    ) -> Tree:
        answer = await self.transport.send(
            method, path, params={"fieldManager": manager},
            body=json.dumps(body).encode(), content_type=content_type,
        )  # fmt: skip
        assert answer.code < 300, answer.untrusted_body
        tree: Tree = json.loads(answer.untrusted_body)
        return tree
