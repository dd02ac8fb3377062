"""How far each store was delivered, kept in the cluster: read when it matters, compared and set."""

from __future__ import annotations

from dataclasses import replace

from flux_secret.model.names import StoreName
from flux_secret.outside.kubernetes import Client, ConflictError, NotFoundError
from flux_secret.outside.kubernetes.body import text
from flux_secret.outside.kubernetes.home import CONFIG_MAPS, create
from flux_secret.store.standing import LABEL, Standing, damaged, read_standing


class Kept:
    """The records in one agent's namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def read(self, name: StoreName) -> Standing:
        """Give a store's, an empty one when there is none; raise `IntegrityError`."""
        empty = Standing(name)
        for tree in await self._client.list(CONFIG_MAPS, self._namespace, LABEL):
            if text(tree, "metadata", "name") == empty.name:
                read = read_standing(tree)
                if read.store != name:
                    raise damaged(empty.name)
                return read
        return empty

    async def write(self, standing: Standing) -> Standing:
        """Write one; raise `ConflictError` when somebody has changed it since it was read."""
        body, name = standing.to_body(self._namespace), standing.name
        try:
            if standing.resource_version:
                live = await self._client.replace(CONFIG_MAPS, self._namespace, name, body)
            else:
                live = await create(self._client, CONFIG_MAPS, self._namespace, name, body)
        except NotFoundError as error:
            raise ConflictError(error.what, remedy=error.remedy) from error
        return replace(standing, uid=live.uid, resource_version=live.resource_version)


class Looked(Kept):
    """The same for who only looks: nothing is written."""

    async def write(self, standing: Standing) -> Standing:
        """Leave it."""
        return standing
