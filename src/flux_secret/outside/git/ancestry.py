"""A mirror's commits: which contains which, and one that is kept though no branch has it."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Final

from flux_secret.errors import FluxSecretError
from flux_secret.outside.git.mirror import Mirror
from flux_secret.outside.git.refs import OURS, is_object_id

_KEPT: Final = f"{OURS}/kept"


class Ancestry:
    """Of one store's mirror; two stores may share one."""

    def __init__(self, mirror: Mirror, name: str) -> None:
        """Begin; `name` is the store's."""
        self._mirror = mirror
        self._ref = f"{_KEPT}/{hashlib.sha256(name.encode()).hexdigest()[:24]}"

    @property
    def address(self) -> str:
        """Where the commits come from; no password is in it."""
        return str(self._mirror.url)

    async def has(self, commit: str) -> bool:
        """Say whether the mirror has that commit."""
        if not is_object_id(commit):
            return False
        words = ("cat-file", "-e", f"{commit}^{{commit}}")
        return await self._mirror.git.local(self._mirror.path, *words) is not None

    async def leads_to(self, old: str, new: str) -> bool:
        """Say whether `new` contains `old`; a commit that is not here contains nothing."""
        if not (is_object_id(old) and is_object_id(new)):
            return False
        words = ("merge-base", "--is-ancestor", old, new)
        return await self._mirror.git.local(self._mirror.path, *words) is not None

    async def bring(self, commit: str) -> bool:
        """Ask the remote for a commit that no branch of it need have; say whether it is here now.

        Hosts give one by its id as long as they have it, unless they are told not to
        (git-config(1), `uploadpack.allowAnySHA1InWant`).
        """
        if is_object_id(commit):
            with contextlib.suppress(FluxSecretError):
                await self._mirror.bring(commit, self._ref)
        return await self.has(commit)

    async def approvals(self) -> str:
        """Name what was fetched beside the branches; empty for nothing."""
        return await self._mirror.beside()

    async def keep(self, commit: str) -> None:
        """Keep a commit, and all that it contains, from being cleaned away."""
        with contextlib.suppress(OSError):
            if (self._mirror.path / self._ref).read_text().strip() == commit:
                return
        await self._mirror.git.local(self._mirror.path, "update-ref", self._ref, commit)
