"""Whom a message says it is for, against whom it should be for: a verdict; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.store.interface import Audience, Reader


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the two sets differ."""

    missing: tuple[Reader, ...] = ()
    """Who should be able to read it, and is not named."""
    extra: tuple[str, ...] = ()
    """Whom it names, and nobody wants: key ids."""
    outdated: tuple[Reader, ...] = ()
    """Who is named by a subkey that nothing is encrypted to any more."""
    hidden: int = 0
    """How many it is for without naming them: who they are cannot be told."""
    surplus: int = 0
    """How many hidden ones are too many; negative when there are too few."""

    @property
    def is_right(self) -> bool:
        """Whether nothing speaks against it; it may still be uncertain."""
        return not (self.missing or self.extra or self.outdated or self.surplus)

    @property
    def is_certain(self) -> bool:
        """Whether the message names everybody that it is for."""
        return not self.hidden


RIGHT: Final = Verdict()


def judge(audience: Audience, wanted: Sequence[Reader]) -> Verdict:
    """Compare.

    Somebody who cannot be encrypted to any more, and is named, can read it: nothing is wrong with
    the message then. Where some are hidden, those who are not named may be among them.
    """
    marks = audience.marks
    unseen = [
        one for one in wanted
        if not (one.marks | one.older) & marks and not (one.problem and not one.marks)
    ]  # fmt: skip
    outdated = tuple(one for one in wanted if one.older & marks and not one.problem)
    known = frozenset[str]().union(*(one.marks | one.older for one in wanted))
    surplus = audience.hidden - len(unseen) if audience.hidden else 0
    return Verdict(
        missing=() if audience.hidden else tuple(unseen),
        extra=tuple(sorted(marks - known)),
        outdated=outdated,
        hidden=audience.hidden,
        surplus=surplus,
    )


def describe(verdict: Verdict) -> str:
    """Say what is wrong, in words that follow the entry's name."""
    says = []
    if verdict.missing:
        says.append(f"cannot be read by {_names(verdict.missing)}, who should")
    if verdict.extra:
        says.append(
            f"can be read by {', '.join(f'0x{one}' for one in verdict.extra)}, who should not"
        )
    if verdict.outdated:
        says.append(f"is encrypted to an older subkey of {_names(verdict.outdated)}")
    if verdict.surplus:
        kind = "fewer" if verdict.surplus < 0 else "more"
        says.append(f"is for {abs(verdict.surplus)} hidden recipients {kind} than it should be")
    return "; ".join(says)


def _names(readers: Sequence[Reader]) -> str:
    return ", ".join(one.name for one in readers)
