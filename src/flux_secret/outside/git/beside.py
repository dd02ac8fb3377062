"""Refs of a remote beside its branches, small and many: fetched along, within bounds of their own.

Whoever may push can make as many as the host lets them. So too many, or too large ones, are not
fetched, and what was fetched before stays; the branches are delivered all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.command import Git
from flux_secret.outside.git.refs import listed
from flux_secret.outside.process import MIB

MAX_REFS: Final = 10_000
MAX_BYTES: Final = 64 * MIB  # of one fetch, compressed
_log = structlog.get_logger(component="sync-loop")


class Beside:
    """The refs below one name."""

    def __init__(self, url: GitUrl, access: GitAccess, prefix: str) -> None:
        """`prefix` is one of ours, which the mirror calls as the remote does."""
        self._git = Git(url, replace(access, max_fetch_bytes=MAX_BYTES))
        self._prefix = prefix
        self._seconds = access.timeout_seconds

    @property
    def pattern(self) -> str:
        """What `ls-remote` is asked for."""
        return f"{self._prefix}*"

    def has(self, ref: str) -> bool:
        """Whether a ref is one of them."""
        return ref.startswith(self._prefix)

    def of(self, refs: Mapping[str, str]) -> Mapping[str, str]:
        """Give those of them that a remote listed."""
        return {ref: object_id for ref, object_id in refs.items() if self.has(ref)}

    async def known(self, mirror: Path) -> Mapping[str, str]:
        """Give those that a mirror has: the remote's name → object id."""
        words = ("for-each-ref", "--format=%(objectname)%09%(refname)", self._prefix)
        return listed(await self._git.local(mirror, *words) or b"")

    async def bring(self, mirror: Path, refs: Mapping[str, str]) -> None:
        """Make the mirror's equal to the remote's; what cannot be fetched is said, not raised."""
        wanted = self.of(refs)
        if wanted == await self.known(mirror):
            return
        if len(wanted) > MAX_REFS:
            _log.warning("beside.too_many", refs=self.pattern, found=len(wanted), most=MAX_REFS)
            return
        refspec = f"+{self.pattern}:{self.pattern}"
        try:
            await self._git.fetch(mirror, refspec, seconds=self._seconds, prune=True)
        except FluxSecretError as failure:
            _log.warning("beside.not_fetched", refs=self.pattern, err=failure.what)
