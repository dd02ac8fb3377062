"""Bundle of an installation → in the cluster, as any other target's objects; `flux-secret install`.

The installation is a target of its own, with an inventory beside those of the agent: what is there
and in no list of ours is refused, what an earlier installation had and this one has not is removed,
and a second run writes nothing. The agent, which does not know that target, leaves its list alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from flux_secret.apply.adoption import forgetting
from flux_secret.apply.applier import ClusterApplier
from flux_secret.apply.cluster import DRY, ApplyOptions
from flux_secret.apply.definitions import define, parted
from flux_secret.apply.fluxv1 import DEPLOYMENTS, is_flux, is_running_flux
from flux_secret.apply.inventory import TargetId
from flux_secret.apply.ledger import Ledger
from flux_secret.apply.payload import LAST_APPLIED
from flux_secret.apply.state import SECRETS
from flux_secret.errors import FluxSecretError, HeldError
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery, Revision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Bundle
from flux_secret.model.names import ObjectKey
from flux_secret.model.target import Source, Target
from flux_secret.outside.kubernetes import FIELD_MANAGER, Client
from flux_secret.outside.kubernetes.body import encoded, text

# No repository can have this address: GitUrl.parse refuses it.
TARGET: Final = Target(Source(GitUrl("flux-secret", "file"), "install"), "agent", prune=True)
_NAME: Final = "flux"
_SECRET: Final = ("", "Secret")


class Installer:
    """Installs the agent on one cluster."""

    def __init__(self, client: Client, options: ApplyOptions) -> None:
        self._client = client
        self._options = replace(options, heeds_ignore=False)
        self._ledger = Ledger(client, options.agent_namespace)

    async def install(self, bundle: Bundle, version: str) -> Delivery:
        """Apply, then remove what is no longer part of it; an expected failure is part of it.

        What kubectl remembers of our Secrets goes first: it holds their values.
        """
        delivery = Delivery(TARGET, Revision(version))
        applier = ClusterApplier(self._client, self._options).round()
        definitions, bundle = parted(bundle)
        try:
            await self._refuse_beside_flux()
            await define(self._client, definitions, delivery.changes, dry=self._options.dry)
            secrets = [one.key for one in bundle.items if (one.key.group, one.key.kind) == _SECRET]
            await self._forget_last_applied(secrets, delivery)
            await applier.apply(delivery, bundle, delivery.changes)
            if not self._options.dry:
                await applier.sweep([delivery], delivery.changes)
        except FluxSecretError as failure:
            delivery.error = failure
        return delivery

    async def _refuse_beside_flux(self) -> None:
        """Look for a Flux v1 that runs where we would, or has our Deployment's name.

        Its Deployment cannot become ours: what it selects its pods by does not change.
        """
        namespace = self._options.agent_namespace
        for found in await self._client.list(DEPLOYMENTS, namespace, ""):
            name = text(found, "metadata", "name")
            if is_running_flux(found) or (name == _NAME and is_flux(found)):
                raise HeldError(
                    f"deployment/{name} in {namespace} is Flux v1's; both would fight over every "
                    "field",
                    remedy=f"kubectl delete deployment {name} -n {namespace}; what it has "
                    "delivered stays",
                )

    async def _forget_last_applied(self, keys: Iterable[ObjectKey], delivery: Delivery) -> None:
        """Take the annotation from Secrets that are ours, or are to be ours."""
        await self._ledger.open()
        for key in keys:
            live = await self._client.metadata(SECRETS, key.namespace, key.name)
            owner = self._ledger.owner(key)
            ours = owner == TargetId.of(TARGET) or (owner is None and self._options.adopt_existing)
            if live is None or live.is_going or LAST_APPLIED not in live.annotations or not ours:
                continue
            note = f"{LAST_APPLIED}, which held its values, is removed"
            if self._options.dry:
                delivery.changes.add(Change(key, Action.CONFIGURED, f"{note}; {DRY}"))
                continue
            operations = encoded(forgetting(live))
            await self._client.patch(SECRETS, key.namespace, key.name, operations, FIELD_MANAGER)
            delivery.changes.add(Change(key, Action.CONFIGURED, note))
