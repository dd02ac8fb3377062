"""The records of all namespaces, read once and kept up to date by our own writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flux_secret.apply.restart.record import LABEL, PREFIX, Record, read_record
from flux_secret.errors import IntegrityError
from flux_secret.outside.kubernetes import Client, ConflictError, NotFoundError
from flux_secret.outside.kubernetes.body import text
from flux_secret.outside.kubernetes.home import CONFIG_MAPS, create


class Records:
    """Those in one agent's namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._all: dict[str, Record] | None = None
        self._damaged: dict[str, IntegrityError] = {}

    def forget(self) -> None:
        """Read them again before the next use."""
        self._all = None

    async def all(self) -> Mapping[str, Record]:
        """Give those that can be read, by namespace."""
        return await self._read()

    async def of(self, namespace: str) -> Record:
        """Give a namespace's, an empty one when there is none; raise `IntegrityError`."""
        found = (await self._read()).get(namespace)
        if error := self._damaged.get(PREFIX + namespace):
            raise error
        return found or Record(namespace)

    async def write(self, old: Record, new: Record) -> Record:
        """Write one, unless it is the old one; raise `ConflictError` when there is another."""
        if new == old:
            return old
        body, name = new.to_body(self._namespace), new.name
        try:
            if new.resource_version:
                live = await self._client.replace(CONFIG_MAPS, self._namespace, name, body)
            else:
                live = await create(self._client, CONFIG_MAPS, self._namespace, name, body)
        except NotFoundError as error:
            raise ConflictError(error.what, remedy=error.remedy) from error
        written = replace(new, uid=live.uid, resource_version=live.resource_version)
        (await self._read())[new.namespace] = written
        return written

    async def _read(self) -> dict[str, Record]:
        if self._all is None:
            listed = await self._client.list(CONFIG_MAPS, self._namespace, LABEL)
            found, self._damaged = dict[str, Record](), {}
            for tree in listed:
                try:
                    record = read_record(tree)
                    found[record.namespace] = record
                except IntegrityError as error:
                    self._damaged[text(tree, "metadata", "name")] = error
            self._all = found
        return self._all
