"""The ConfigMap in which people say what an agent leaves as it is: read, followed and written.

It lies in the agent's namespace, so it lasts over restarts, and holds for all replicas and however
an App came to the agent: by Flux v1's flags, by a settings file, or as an object.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.model.hold import EVERYTHING, Hold
from flux_secret.model.report import stamp
from flux_secret.outside.kubernetes import (
    AlreadyExistsError,
    Client,
    Json,
    NotFoundError,
    ServedKind,
)
from flux_secret.outside.kubernetes.body import encoded, text_map

NAME: Final = "flux-secret-suspended"
LOOK_SECONDS: Final = 5.0
"""Between two looks."""
AGAIN_SECONDS: Final = 1.0
"""Until it is looked again where it could not be read and is not known yet."""
_CONFIG_MAPS: Final = ServedKind("", "v1", "ConfigMap", "configmaps", namespaced=True)
_log = structlog.get_logger(component="sync-loop")


class Suspension:
    """What is suspended in one agent's namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def read(self) -> Hold:
        """Give what is suspended now; raise what the API server refuses."""
        return Hold.parse(await self._data())

    async def _data(self) -> Mapping[str, str]:
        only = f"metadata.name={NAME}"  # the agent may list them, and get none
        listed = await self._client.list(_CONFIG_MAPS, self._namespace, "", fields=only)
        return text_map(listed[0], "data") if listed else {}

    async def follow(self, tell: Callable[[Hold], None]) -> None:
        """Tell what is suspended, at once and whenever that changes, until it is cancelled.

        While it cannot be read, what was known last holds.
        """
        known: Hold | None = None
        failing = ""
        while True:
            try:
                now = await self.read()
            except FluxSecretError as error:
                if error.what != failing:
                    _log.warning("suspended.not_read", err=error.what, remedy=error.remedy)
                failing = error.what
            else:
                failing = ""
                if now != known:
                    known = now
                    _say(now)
                    tell(now)
            await asyncio.sleep(AGAIN_SECONDS if known is None else LOOK_SECONDS)

    async def suspend(self, keys: Collection[str]) -> Collection[str]:
        """Suspend what these keys name (`model.hold`); give which are new."""
        before = await self._data()
        new = sorted(set(keys) - before.keys())
        if new:
            await self._write(dict.fromkeys(new, stamp(datetime.now(UTC))))
        return new

    async def resume(self, keys: Collection[str]) -> Collection[str]:
        """Deliver it again, or everything where no key is named; give which were suspended.

        Raises `ConfigurationError` for single Apps while all are suspended.
        """
        before = await self._data()
        if keys and EVERYTHING in before:
            raise ConfigurationError(
                f"all Apps of the agent in {self._namespace} are suspended",
                remedy=f"resume them all: flux-secret resume --all --agent {self._namespace}; and "
                f"suspend those that shall rest: flux-secret suspend APP --agent "
                f"{self._namespace}",
            )
        gone = sorted((set(keys) or before.keys()) & before.keys())
        if gone:
            await self._write(dict.fromkeys(gone))
        return gone

    async def _write(self, data: Mapping[str, str | None]) -> None:
        """Change these keys only: others may be changed by somebody else meanwhile."""
        with contextlib.suppress(NotFoundError):
            await self._client.merge(_CONFIG_MAPS, self._namespace, NAME, {"data": dict(data)})
            return
        said: Json = {key: since for key, since in data.items() if since is not None}
        metadata: Json = {"name": NAME, "namespace": self._namespace}
        body: Json = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": said,
        }  # fmt: skip
        try:
            await self._client.create(_CONFIG_MAPS, self._namespace, NAME, encoded(body))
        except AlreadyExistsError:
            await self._client.merge(_CONFIG_MAPS, self._namespace, NAME, {"data": dict(data)})


def _say(hold: Hold) -> None:
    names = "all" if hold.everything else " ".join(map(str, sorted(hold.names)))
    _log.info("suspended", apps=names or "none")
