"""What resolving needs of whoever answers questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup


class SecretReader(Protocol):
    """Answers look-ups, and remembers every value it gave away."""

    async def read(self, lookup: Lookup, reason: str) -> Plaintext:
        """Answer one question, or raise `AccessError`; `reason` says who asks, for the record."""

    async def foresee(self, asked: Iterable[tuple[Lookup, str]]) -> None:
        """Record at once what is going to be read, and why; raise `RecordError`."""

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        """Every value given away so far in this delivery."""
