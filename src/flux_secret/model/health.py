"""One question about the agent's health, and its answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """The answer, in words that everybody may read: no name, address or message is among them."""

    name: str
    failed: str = ""
    """Why it failed; empty when it did not."""
    note: str = ""
    """What to know though it did not fail."""

    def __str__(self) -> str:
        """As kube-apiserver writes it."""
        if self.failed:
            return f"[-]{self.name} failed: {self.failed}"
        return f"[+]{self.name} ok" + (f" ({self.note})" if self.note else "")
