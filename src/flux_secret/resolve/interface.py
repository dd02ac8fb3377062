"""What resolving needs of whoever answers questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup


class SecretReader(Protocol):
    """Answers look-ups, and remembers every value it gave away."""

    async def read(self, lookup: Lookup) -> Plaintext:
        """Answer one question, or raise `AccessError`."""

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        """Every value given away so far in this delivery."""
