"""A StoreSecret as people write it → an App of one Secret, made of references.

    apiVersion: flux-secret.io/v1alpha1
    kind: StoreSecret
    metadata: {name: db, namespace: dev-demo}
    spec:
      data:
        password: ref+gopass://apps/application/demo/dev/db#password

It needs no repository: the manifest follows from the object. What may be read is what each Store
lets the namespace read, as for an App.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flux_secret.model.app import App, AppName, Removal
from flux_secret.model.fields import Fields, bad
from flux_secret.model.reference import SecretRef
from flux_secret.model.restart import RestartPolicy, parse_restart
from flux_secret.model.store import Store
from flux_secret.model.target import WRITTEN, Generation, Target

SYNC_SECONDS: Final = 300.0
_SPEC: Final = ("type", "target", "data", "interval", "deletionPolicy", "suspend", "restart")


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """What one document says."""

    name: AppName
    manifest: str
    """The Secret, with references and no value."""
    paths: tuple[tuple[str, ...], ...]
    """The entries that it refers to, each with its mount."""
    sync_seconds: float = SYNC_SECONDS
    removal: Removal = Removal.PRUNE
    suspended: bool = False
    restart: RestartPolicy | None = None

    def app(self, stores: Mapping[str, Store]) -> App:
        """Give what is delivered."""
        home = self.name.namespace
        granted = {
            store.name: store.granted(home)
            for store in stores.values()
            if any("/".join(path).startswith(f"{store.name}/") for path in self.paths)
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
            app=str(self.name),
            grants=granted,
            cluster_scoped=False,
            inline=self.manifest,
        )
        return App(
            self.name, (target,), self.sync_seconds, suspended=self.suspended, removal=self.removal
        )


def parse_secret(name: AppName, short: str, spec: object) -> SecretSpec:
    """Read `spec`; `short` is the object's own name. Raises `ConfigurationError`."""
    where = f"StoreSecret {name.namespace}/{short}"
    fields = Fields(spec, f"{where}: spec", _SPEC)
    data = fields.mapping("data")
    if not data:
        raise bad(f"{fields.place('data')} is empty", "name keys, and where their values are")
    within = Fields(fields.raw("data"), fields.place("data"), sorted(data))
    paths = [within.read(key, SecretRef.parse).lookup.path.parts for key in sorted(data)]
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": fields.within("target", ("name",)).name("name", short),
            "namespace": name.namespace,
        },
        "type": fields.text("type", "Opaque"),
        "stringData": data,
    }
    return SecretSpec(
        name=name,
        manifest=json.dumps(manifest, indent=1, sort_keys=True),
        paths=tuple(paths),
        sync_seconds=max(1.0, fields.seconds("interval", SYNC_SECONDS)),
        removal=Removal(
            fields.one_of("deletionPolicy", [one.value for one in Removal], Removal.PRUNE.value)
        ),
        suspended=fields.flag("suspend", default=False),
        restart=parse_restart(fields.raw("restart"), fields.place("restart"))
        if fields.has("restart")
        else None,
    )
