"""A message and its armored signature → who signed, by OpenPGP or by SSH."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from flux_secret.access import openpgp, sshsig
from flux_secret.access.interface import Signer
from flux_secret.model.identity import SshPublic
from flux_secret.model.ownerkey import OwnerKey

MAX_CHECKS: Final = 2_000
"""Signatures by SSH that are looked at by one of these: each starts a program."""
Verify = Callable[[bytes, bytes, SshPublic, str], Awaitable[bool]]
"""Message, armored signature, key, namespace → whether it is good."""


class Signatures:
    """Checks signatures of both kinds."""

    def __init__(
        self,
        certificates: openpgp.Certificates,
        verify: Verify,
        known: Callable[[], Collection[OwnerKey]] | None = None,
    ) -> None:
        """`known` gives the keys that any owner ever had; other SSH keys are not even tried."""
        self._certificates = certificates
        self._verify = verify
        self._known = known
        self._checks = 0

    async def check(self, message: bytes, signature: bytes, namespace: str) -> Signer:
        """Say who signed; what is wrong is the signer's `problem`."""
        stripped = signature.strip()
        if stripped.startswith(openpgp.BEGIN):
            return self._certificates.check(message, stripped)
        if not stripped.startswith(sshsig.BEGIN):
            return Signer(None, "it is neither of OpenPGP nor of SSH")
        key = sshsig.claimed(stripped)
        if key is None:
            return Signer(None, "it is of a kind of SSH key that cannot approve")
        return Signer(key, await self._flaw(key, message, stripped, namespace))

    async def _flaw(self, key: OwnerKey, message: bytes, signature: bytes, namespace: str) -> str:
        if self._known is not None and key not in self._known():
            return "that key is of no owner"
        self._checks += 1
        if self._checks > MAX_CHECKS:
            return f"there are more than {MAX_CHECKS} signatures to look at"
        is_good = await self._verify(message, signature, key.ssh, namespace)
        return "" if is_good else "it is not over these words"
