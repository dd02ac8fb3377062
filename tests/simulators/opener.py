"""Who opens encrypted files in tests that hold none, and in tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flux_secret.errors import DecryptError
from flux_secret.generate.interface import Opener
from flux_secret.model.plaintext import Plaintext


class SimulatedOpener:
    """Opens what a dictionary says, and remembers what it was asked for."""

    def __init__(self, clear: Mapping[bytes, bytes] | None = None) -> None:
        self.clear = clear or {}
        self.asked: list[tuple[bytes, bool, float]] = []

    def opener(self) -> Opener:
        return Opener(self._sops, self._openpgp, self._place)

    async def _sops(self, ciphertext: bytes, *, pgp: bool, timeout_seconds: float) -> Plaintext:
        self.asked.append((ciphertext, pgp, timeout_seconds))
        if ciphertext not in self.clear:
            raise DecryptError("no key of this agent opens it", remedy="give it one")
        return Plaintext(self.clear[ciphertext])

    async def _openpgp(self, ciphertext: bytes) -> Plaintext:
        if ciphertext not in self.clear:
            raise DecryptError("no private key for it here")
        return Plaintext(self.clear[ciphertext])

    @staticmethod
    def _place(root: Path, file: str, value: Plaintext) -> int:
        return (root / file).write_bytes(value.reveal())
