"""An annotation of a Secret, read and written without its data: Flux v1's other sync marker."""

from __future__ import annotations

from typing import Final

from flux_secret.errors import ConfigurationError
from flux_secret.outside.kubernetes.client import Client
from flux_secret.outside.kubernetes.discovery import ServedKind
from flux_secret.outside.kubernetes.failure import NotFoundError

SYNC_MARKER: Final = "flux.weave.works/sync-hwm"  # Flux v1's own (facts: flux-v1 §2.7)
_SECRETS: Final = ServedKind("", "v1", "Secret", "secrets", namespaced=True)


class SecretAnnotation:
    """Keeps the sync marker at a Secret that must be there; its data is never asked for."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    def __str__(self) -> str:
        return f"the sync marker at Secret {self._namespace}/{self._name}"

    async def read(self) -> str | None:
        """Give what the annotation says; None when it is empty or missing."""
        live = await self._client.metadata(_SECRETS, self._namespace, self._name)
        if live is None:
            raise self._missing()
        return live.annotations.get(SYNC_MARKER, "").strip() or None

    async def check(self) -> None:
        """Trust it: whoever may write Secrets here needs no signature."""

    async def move(self, commit: str) -> None:
        """Write a commit into the annotation."""
        try:
            await self._client.annotate(
                _SECRETS, self._namespace, self._name, {SYNC_MARKER: commit}
            )
        except NotFoundError:
            raise self._missing() from None

    def _missing(self) -> ConfigurationError:
        return ConfigurationError(
            f"there is no Secret {self._name} in namespace {self._namespace} for the sync marker",
            remedy=f"kubectl create secret generic {self._name} -n {self._namespace}, or name "
            "another one: --k8s-secret-name",
        )
