"""A StoreSecret: a Secret made of entries of Stores, without a repository of manifests.

    apiVersion: flux-secret.io/v1alpha1
    kind: StoreSecret
    metadata: {name: database, namespace: dev-demo}
    spec:
      data:
        password: ref+gopass://apps/application/demo/dev/db#password

It holds references, never values. It may ask what an App of its namespace may: what each Store
lets that namespace read; its Secret lies beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import FluxSecretError
from flux_secret.model.app import App, AppName, Removal
from flux_secret.model.appspec import SYNC_SECONDS, interval_of
from flux_secret.model.fields import Fields, bad
from flux_secret.model.reference import SecretRef
from flux_secret.model.restart import Restarted, RestartPolicy, parse_restart
from flux_secret.model.store import Store
from flux_secret.model.target import WRITTEN, Generation, Target

MAX_KEYS: Final = 64
OPAQUE: Final = "Opaque"
_SPEC: Final = ("type", "target", "data", "interval", "deletionPolicy", "suspend", "restart")
_KEY: Final = re.compile(r"(?!\.\.|\.$)[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True, slots=True)
class StoreSecretSpec:
    """What one document says."""

    name: AppName
    """Its own; StoreSecrets and Apps may share one."""
    secret: str
    """The Secret's name."""
    data: Mapping[str, SecretRef]
    """The Secret's keys, and which part of which entry each is."""
    references: Mapping[str, str]
    """The same as it was written."""
    type: str = OPAQUE
    sync_seconds: float = SYNC_SECONDS
    removal: Removal = Removal.PRUNE
    suspended: bool = False
    restart: RestartPolicy | None = None

    def app(self, called: AppName, stores: Mapping[str, Store]) -> App:
        """Give what is delivered, `called` so among Apps: one Secret, its manifest made here."""
        home = self.name.namespace
        paths = [str(reference.lookup.path) for reference in self.data.values()]
        granted = {
            store.name: store.granted(home)
            for store in stores.values()
            if any(path.startswith(f"{store.name}/") for path in paths)
        }
        target = Target(
            source=WRITTEN,
            path="",
            stores=frozenset(granted),
            generation=Generation(enabled=False),
            prune=True,
            allowed_namespaces=frozenset({home}),
            default_namespace=home,
            restart=self.restart,
            app=str(called),
            grants=granted,
            cluster_scoped=False,
            inline=self._manifest(),
        )
        return App(
            called, (target,), self.sync_seconds, suspended=self.suspended, removal=self.removal
        )

    def _manifest(self) -> str:
        tree = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.secret, "namespace": self.name.namespace},
            "type": self.type,
            "stringData": dict(self.references),
        }
        return json.dumps(tree, indent=1, sort_keys=True)


def parse_store_secret(name: AppName, spec: object) -> StoreSecretSpec:
    """Read `spec`; raise `ConfigurationError`."""
    fields = Fields(spec, f"StoreSecret {name}: spec", _SPEC)
    return StoreSecretSpec(
        name=name,
        secret=fields.within("target", ("name",)).name("name", name.name),
        data=_data(fields),
        references=fields.mapping("data"),
        type=fields.text("type", OPAQUE),
        sync_seconds=interval_of(fields, "interval", SYNC_SECONDS),
        removal=Removal(
            fields.one_of("deletionPolicy", [one.value for one in Removal], Removal.PRUNE.value)
        ),
        suspended=fields.flag("suspend", default=False),
        restart=_restart(fields) if fields.has("restart") else None,
    )


def _data(fields: Fields) -> Mapping[str, SecretRef]:
    given, place = fields.mapping("data"), fields.place("data")
    if not 0 < len(given) <= MAX_KEYS:
        raise bad(f"{place} has {len(given)} keys", f"name 1 to {MAX_KEYS}")
    for key in given:
        if not _KEY.fullmatch(key):
            raise bad(
                f"{place} has {key[:80]!a}, which is no key of a Secret",
                "use letters, digits, '-', '_' and '.'",
            )
    return {key: _reference(text, f"{place}.{key}") for key, text in given.items()}


def _reference(text: str, place: str) -> SecretRef:
    try:
        return SecretRef.parse(text)
    except FluxSecretError as error:
        raise bad(f"{place}: {error.what}", error.remedy) from None


def _restart(fields: Fields) -> RestartPolicy | None:
    """Read `restart`; no workload comes with a StoreSecret, so whatever uses it is meant."""
    given = fields.raw("restart")
    if isinstance(given, Mapping):
        given = {"workloads": Restarted.ALL.value, **given}
    return parse_restart(given, fields.place("restart"))
