"""Who can come to secrets: what stores, deliveries and a cluster say, in words without a value.

Read from stores, inventories and objects by others; the `access` room makes a graph of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """Somebody's key."""

    key: str
    """Its fingerprint; where nobody knows it, the id as it is written, or a message names it."""
    name: str = field(default="", compare=False)
    """Whose it says it is: the first user id. Nobody has checked that."""

    def __str__(self) -> str:
        return f"{self.key} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Named:
    """One line of a recipients file, and whose key it means."""

    holder: Holder
    written: str
    """The line."""
    doubt: str = ""
    """Why it is not beyond doubt that this key is meant; empty where it is."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Whom one recipients file names."""

    file: str
    """Its path in the store; empty where nothing says who may read."""
    named: tuple[Named, ...] = ()

    @property
    def holders(self) -> frozenset[Holder]:
        """Everybody, each once."""
        return frozenset(one.holder for one in self.named)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One entry, and for whom it is encrypted."""

    entry: str
    """Its name, that of the store first where the store has one."""
    blob: str
    """The ciphertext's object id."""
    circle: Circle
    extra: tuple[Holder, ...] = ()
    """Whom the message is for though the recipients file does not name them."""
    lacking: tuple[Holder, ...] = ()
    """Whom the file names though the message is not for them yet."""
    hidden: int = 0
    """How many more it is for without naming them."""

    @property
    def readers(self) -> frozenset[Holder]:
        """Everybody who can read it, now or once it is encrypted anew."""
        return self.circle.holders | frozenset(self.extra)


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """Who can read one store at one commit."""

    store: str
    """Its mount; empty for one without a name."""
    sealed: tuple[Sealed, ...]
    findings: tuple[str, ...] = ()
    """What is wrong with its files of recipients and of keys, in sentences."""

    @property
    def holders(self) -> frozenset[Holder]:
        """Everybody who can read something of it."""
        circles = {one.circle.file: one.circle for one in self.sealed}
        named = (holder for circle in circles.values() for holder in circle.holders)
        return frozenset({*named, *(holder for one in self.sealed for holder in one.extra)})


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """An App that reads an entry, and the Secrets in which the value ended."""

    app: str
    entry: str
    secrets: tuple[str, ...]
    """`NAMESPACE/NAME` each."""
    how: str
    """`read by its last delivery`, or where the reference stands."""
    certain: bool = True
    """Whether the value was seen in these; else it may be in any of them, or in none."""
    target: str = ""
    """How owners' rules name what was delivered; empty where it is only written somewhere."""


@dataclass(frozen=True, slots=True, order=True)
class Answering:
    """One who answers for an entry."""

    entry: str
    owner: str
    rule: str
    """The prefix whose rule counts."""


@dataclass(frozen=True, slots=True, order=True)
class Runs:
    """What runs pods, and what it gets."""

    workload: str
    """`deployment.apps/demo`."""
    namespace: str
    account: str
    """The service account that its pods run as."""
    secrets: tuple[str, ...] = ()
    """Names of the Secrets that its pods see."""
    pulls: tuple[str, ...] = ()
    """Names of the Secrets with which the node pulls its images; no pod sees them."""
    token: bool = True
    """Whether its pods get the account's token."""
