"""gopass's `recipients.check`: the recipients that a person has accepted, by their hash.

Who sets it wants to be asked when somebody else changed the recipients. So a store whose recipients
are not the accepted ones is not written; and as with gopass, who changes them accepts the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flux_secret.errors import IntegrityError
from flux_secret.store.format.recipients import RecipientsFile


@dataclass(frozen=True, slots=True)
class Pin:
    """What the person's gopass has on record for one store (facts: gopass §2.4)."""

    accepted: str
    """The hash; empty when nothing was ever accepted."""
    accept: Callable[[str], None]
    """Puts another one on record."""

    def check(self, recipients: RecipientsFile, place: str) -> None:
        """Raise `IntegrityError` unless these are the accepted recipients."""
        if recipients.gopass_hash != self.accepted:
            raise IntegrityError(
                f"the recipients of {place} are not the ones that you have accepted",
                remedy="look at them: flux-secret recipients ls; accept: gopass recipients ack",
            )

    def renew(self, recipients: RecipientsFile) -> None:
        """Accept what the person has changed."""
        self.accept(recipients.gopass_hash)
