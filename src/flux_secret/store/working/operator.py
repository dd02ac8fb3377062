"""The keys of a cluster's operator as the administrator's store keeps them.

    technical/k8s/CLUSTER/flux/gpg-private-key    what opens the application's store
    technical/k8s/CLUSTER/flux/gpg-public-key
    technical/k8s/CLUSTER/flux/ssh-private-key    what reads the repositories
    technical/k8s/CLUSTER/flux/ssh-public-key

as the walkthrough of 2019 has them. While a key is replaced, the one before it lies in `previous`,
and `gpg-private-key` holds both: whatever installs from here can read everything at any time.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import AccessError, ConfigurationError, UsageError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.format import names
from flux_secret.store.tree import GPG
from flux_secret.store.working.store import WorkingStore

GPG_PRIVATE: Final = "gpg-private-key"
GPG_PUBLIC: Final = "gpg-public-key"
SSH_PRIVATE: Final = "ssh-private-key"
SSH_PUBLIC: Final = "ssh-public-key"
ENTRIES: Final = (GPG_PRIVATE, GPG_PUBLIC, SSH_PRIVATE, SSH_PUBLIC)
PREVIOUS: Final = "previous"
_CLUSTER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class OperatorFolder:
    """Where one cluster's keys lie."""

    store: WorkingStore
    path: str
    """Below the store's root."""

    @classmethod
    def of(cls, store: WorkingStore, prefix: str, cluster: str) -> OperatorFolder:
        """Give a cluster's folder; raise `UsageError` for a name that cannot be one."""
        if not _CLUSTER.fullmatch(cluster):
            raise UsageError(
                f"{cluster!a} cannot be a cluster's name",
                remedy="letters, digits, dots, dashes and underscores, 63 at most",
            )
        path = posixpath.join(prefix, "technical/k8s", cluster, "flux")
        names.checked(path)
        return cls(store, path)

    def entry(self, name: str) -> str:
        """Name an entry of it, below the store's root."""
        return f"{self.path}/{name}"

    @property
    def place(self) -> str:
        """Name it as people write it, the mount first."""
        return self.store.full(self.path)

    def present(self) -> tuple[str, ...]:
        """Give the names of what lies there, `previous` and what people put beside the keys too."""
        below = f"{self.path}/"
        return tuple(
            one.removeprefix(below) for one in self.store.tree().names if one.startswith(below)
        )

    def previous(self, name: str) -> str:
        """Name what an entry was before its key was replaced."""
        return f"{PREVIOUS}/{name}"

    async def read(self, name: str) -> Plaintext:
        """Decrypt one of them."""
        return await self.store.read(self.entry(name))

    async def write(self, texts: Mapping[str, Plaintext | None], subject: str) -> None:
        """Set or remove entries, as one commit."""
        async with self.store.changing() as draft:
            for name, text in texts.items():
                if text is None:
                    draft.remove(self.entry(name))
                else:
                    draft.put(self.entry(name), text)
            await draft.commit(subject)


def refuse_orphans(folder: OperatorFolder, present: tuple[str, ...]) -> None:
    """Raise `AccessError` for a public key without its private half: it is not ours to replace."""
    for private, public in ((GPG_PRIVATE, GPG_PUBLIC), (SSH_PRIVATE, SSH_PUBLIC)):
        if public in present and private not in present:
            raise AccessError(
                f"{folder.place} has a {public}, but no {private}",
                remedy=f"put the private half there, or take the other away: "
                f"flux-secret store rm {folder.place}/{public}",
            )


def refuse_unfit(store: WorkingStore, path: str, folder: OperatorFolder) -> None:
    """Raise what keeps an operator from becoming a recipient of a store, or of a folder of it."""
    place = store.place(path)
    if store.crypto.layout != GPG:
        raise ConfigurationError(
            f"{place} is no store of OpenPGP, and the operator's key is OpenPGP",
            remedy="name a store that has a .gpg-id",
        )
    tree = store.tree()
    above = store is folder.store and (not path or f"{folder.path}/".startswith(f"{path}/"))
    if above and tree.nearest(path) == tree.nearest(folder.path):
        raise UsageError(
            f"the operator would read {folder.place} too, where every cluster's private keys are",
            remedy="keep applications in another store, or name their folder: "
            f"--store {store.full('FOLDER')}",
        )
    if path and path in tree.names:
        raise UsageError(f"{place} is an entry, and not a folder", remedy="name its folder")


def count(store: WorkingStore, path: str) -> int:
    """Say how many entries somebody could read who became a recipient of a folder."""
    tree = store.tree()
    nearest = tree.nearest(path)
    below = [one for one in tree.names if not path or one.startswith(f"{path}/")]
    return sum(tree.nearest(posixpath.dirname(one)) == nearest for one in below)


def both(new: Plaintext, old: Plaintext) -> Plaintext:
    """Give two armored private keys as one text, as gpg and the agent read them; the new first."""
    return Plaintext(new.reveal() + old.reveal())


def newer(text: Plaintext, old: Plaintext, place: str) -> Plaintext:
    """Give the new one of `both`; raise `AccessError` where it is not what `both` made."""
    whole, previous = text.reveal(), old.reveal()
    if not previous or not whole.endswith(previous) or whole == previous:
        raise AccessError(
            f"{place}/{GPG_PRIVATE} is not the new key with the previous one after it",
            remedy=f"look who changed it: flux-secret store history {place}/{GPG_PRIVATE}",
        )
    return Plaintext(whole.removesuffix(previous))
