"""The outcome of one try to deliver a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import ChangeSet
from flux_secret.model.names import StoreName
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Target


@dataclass(frozen=True, slots=True)
class StoreRevision:
    """The commit of a store that one delivery reads (40 or 64 hex digits)."""

    commit: str
    head: str = ""
    """What its remote had, where that was refused; empty where it is `commit`."""
    approved: tuple[tuple[str, str], ...] = ()
    """Prefixes that are read at the commit which their owners have agreed to, and that commit;
    the longest prefix of an entry counts. Empty where all of the store is as `commit` has it."""
    approvals: str = ""
    """Names what its remote had of owners' approvals; empty for none."""

    @property
    def seen(self) -> str:
        """What whoever pinned it saw at its remote: the newest commit, and approvals."""
        return seen(self.head or self.commit, self.approvals)


def seen(head: str, approvals: str) -> str:
    """Give one word for what a store's remote has: it changes when there is something to do."""
    return f"{head}+{approvals}" if approvals else head


@dataclass(frozen=True, slots=True)
class Revision:
    """What a delivery is made of: one application commit, one revision a store."""

    commit: str
    stores: Mapping[StoreName, StoreRevision] = field(default_factory=dict)

    def __str__(self) -> str:
        stores = "".join(f", {name}@{rev.commit[:12]}" for name, rev in sorted(self.stores.items()))
        return f"{self.commit[:12]}{stores}"


@dataclass(frozen=True, slots=True)
class Read:
    """One answered or refused question; never the value."""

    lookup: Lookup
    store: StoreName | None
    commit: str
    blob: str
    """Object id of the ciphertext; empty when there is none."""
    error: FluxSecretError | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """What generating gives to remark though nothing fails; never a value.

    It follows from what the target is made of: it is said when the target is made, and keeps
    nothing from being remembered.
    """

    about: str
    """A place in the repository, as `demo/.flux.yaml, line 5`; or a command."""
    says: str
    """One line or several."""

    def __str__(self) -> str:
        lines = self.says.splitlines()
        said = f" {self.says}" if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)
        return f"{self.about}:{said}"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A change of a store that its owners have not agreed to: what they agreed to last is read."""

    store: StoreName
    prefix: str
    """Whose owners; empty for the whole store."""
    says: str
    """Whose signature is missing, and the command that gives it; never a value."""
    command: str = ""
    """That command alone, for a shell; empty where none helps."""

    def concerns(self, store: StoreName | None, name: str) -> bool:
        """Whether an entry is read as it was, or is not there yet, because of it."""
        below = not self.prefix or name == self.prefix or name.startswith(f"{self.prefix}/")
        return store == self.store and below

    def __str__(self) -> str:
        return f"store {self.store}: {self.says}"


@dataclass(slots=True)
class Delivery:
    """One try, filled in place: what was done stays known whatever happens next."""

    target: Target
    revision: Revision | None = None
    reads: list[Read] = field(default_factory=list)
    changes: ChangeSet = field(default_factory=ChangeSet)
    error: FluxSecretError | None = None
    notes: list[str] = field(default_factory=list)
    """What people should know though nothing failed: `delivered from the last good copy of …`."""
    remarks: list[Remark] = field(default_factory=list)
    """What its generation gave to remark; empty when nothing was generated anew."""
    held: list[HeldBack] = field(default_factory=list)
    """What is delivered as it was, for want of owners' signatures; that is no failure."""
    repeated: bool = False
    """Whether the last delivery still holds: nothing was made anew, and nothing written."""

    @property
    def exit_code(self) -> int:
        """0 when everything is delivered; else the code of the first reason (design §6).

        Failed objects give 7, unless a value was held back: that is an access matter, 4.
        """
        if self.error is not None:
            return self.error.exit_code
        codes = {change.error.exit_code for change in self.changes.failed if change.error}
        return 0 if not self.changes.failed else 4 if 4 in codes else 7  # noqa: PLR2004 -- design §6
