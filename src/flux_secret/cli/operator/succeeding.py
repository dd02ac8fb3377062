"""Every store of a person in which a key is named → the new key named, then the old one gone."""

from __future__ import annotations

from dataclasses import dataclass

from flux_secret.cli.operator.steps import Asking
from flux_secret.cli.recipients.confirming import Given, carry_out, show
from flux_secret.cli.store.sharing import share
from flux_secret.model.identity import OpenPgpPublic
from flux_secret.settings.person import PersonSettings
from flux_secret.store.crypto.public import public_keys
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.operator import GPG_PUBLIC, OperatorFolder
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.succession import Operator, holds, join, leave


@dataclass(frozen=True, slots=True)
class Succession:
    """An old key, a new one, and the stores where they may be named."""

    mounts: Mounts
    old: tuple[OpenPgpPublic, ...]
    new: tuple[OpenPgpPublic, ...]
    asking: Asking
    settings: PersonSettings

    @classmethod
    async def of(
        cls, folder: OperatorFolder, mounts: Mounts, asking: Asking, settings: PersonSettings
    ) -> Succession:
        """Read both from where they are kept."""
        return cls(
            mounts,
            await keys_of(folder, folder.previous(GPG_PUBLIC)),
            await keys_of(folder, GPG_PUBLIC),
            asking, settings,
        )  # fmt: skip

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The old key, as recipients files may name it."""
        return tuple(map(Operator, self.old))

    async def is_old_named(self) -> bool:
        """Whether anybody still encrypts to the old key."""
        stores = self.mounts.stores.values()
        return any([await holds(store, self.operators) for store in stores])

    async def join(self) -> bool:
        """Let the new key read what the old one does; say whether a person agreed."""
        for store in self.mounts.stores.values():
            if await holds(store, self.operators) and not await self._join(store):
                return False
        return True

    async def _join(self, store: WorkingStore) -> bool:
        newcomer = await store.crypto.newcomer("", self.new[0].armored.encode())
        async with store.changing() as draft:
            changes = [
                change for one in self.operators for change in await join(draft, one, newcomer)
            ]
            if not changes:
                return True
            for change in changes:
                show(store, change)
            if not self.asking.agrees(f"let the new key {newcomer.id} read them, as one commit"):
                return self.asking.dry_run
            places = ", ".join(one.folder or "the store" for one in changes)
            subject = f"Add {newcomer.id} to the recipients of {places}"
            await carry_out(draft, changes, subject, Given())
        await share(store, self.settings)
        return True

    async def leave(self) -> bool:
        """Take the old key out of every store; say whether a person agreed."""
        for store in self.mounts.stores.values():
            if not await holds(store, self.operators):
                continue
            key = self.new[0].armored.encode()
            if not await expel(store, self.operators, key, self.asking, self.settings):
                return False
        return True


async def keys_of(folder: OperatorFolder, name: str) -> tuple[OpenPgpPublic, ...]:
    """Give the public keys that an entry holds."""
    text = await folder.read(name)
    return public_keys(text.reveal().decode(errors="replace"))


async def expel(
    store: WorkingStore, operators: tuple[Operator, ...], heir: bytes | None, asking: Asking,
    settings: PersonSettings,
) -> bool:  # fmt: skip
    """Take keys out of a store as one commit; say whether a person agreed."""
    newcomer = await store.crypto.newcomer("", heir) if heir is not None else None
    async with store.changing() as draft:
        changes = await leave(draft, operators, newcomer)
        for change in changes:
            show(store, change)
        gone = " and ".join(one.key.gopass_id for one in operators)
        places = ", ".join(one.folder or "the store" for one in changes)
        if not asking.agrees(f"let {gone} read them no more, as one commit"):
            return asking.dry_run
        await carry_out(draft, changes, f"Remove {gone} from the recipients of {places}", Given())
    await share(store, settings)
    return True
