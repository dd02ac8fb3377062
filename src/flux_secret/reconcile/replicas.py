"""How several agents share the work: what the loop asks, the times, and being alone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from flux_secret.errors import ConfigurationError
from flux_secret.outside.deadline import Deadline

GROUP: Final = "flux-secret"
_MAX_HOST: Final = 40
_JITTER: Final = 1.2  # client-go's JitterFactor


class Replicas(Protocol):
    """What the loop asks before it delivers, and while it does."""

    @property
    def identity(self) -> str:
        """This process's own name among them."""

    @property
    def others(self) -> frozenset[str]:
        """Who lives beside us, as it was last read; nobody when our own lease has run out."""

    def owns(self, app: str) -> bool:
        """Whether the App is ours to deliver now."""

    def is_anothers(self, app: str) -> bool:
        """Whether the App is another replica's; not when nobody's share is known now."""

    def say(self, text: str, *, soon: bool) -> None:
        """Have the others read this; `soon`: now, not with the next renewal."""

    def listen(self, hear: Callable[[str, str], None]) -> None:
        """Call `hear` with who said what, again and again; it must not raise."""

    @property
    def is_leader(self) -> bool:
        """Whether we may do now what only one may do."""

    def deadline(self) -> float:
        """Give the moment, on `outside.clock.uptime`, after which nothing may be written."""

    @property
    def held(self) -> Deadline:
        """The same moment, for `Limits.seconds_left`; forked processes see it, too."""

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when any of this changes; give what ends that."""


class Solo:
    """The only replica: everything is its own, for ever."""

    identity = "agent"
    others: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.held = Deadline()

    def is_anothers(self, app: str) -> bool:
        """Whether the App is another replica's: none is."""
        del app
        return False

    def say(self, text: str, *, soon: bool) -> None:
        """Nobody listens."""

    def listen(self, hear: Callable[[str, str], None]) -> None:
        """Nobody says anything."""

    def owns(self, app: str) -> bool:
        """Whether the App is ours: each is."""
        del app
        return True

    @property
    def is_leader(self) -> bool:
        """Whether we lead: yes."""
        return True

    def deadline(self) -> float:
        """Give no end."""
        return self.held.at

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Nothing ever changes."""
        del listener
        return lambda: None


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of leases, with Flux v2's defaults, and their names."""

    lease_seconds: int = 35
    """How long others wait before they take over from a replica that is not heard any more."""
    renew_seconds: float = 30.0
    """How long a replica may write that cannot renew its lease."""
    retry_seconds: float = 5.0
    """How often a lease is renewed, and the others' are read."""
    group: str = GROUP
    """Whose replicas they are: two installations in one namespace need two names."""

    def __post_init__(self) -> None:
        if not self.lease_seconds > self.renew_seconds > self.retry_seconds * _JITTER > 0:
            raise ConfigurationError(
                f"a lease of {self.lease_seconds} s, a renew deadline of {self.renew_seconds:g} s "
                f"and a retry period of {self.retry_seconds:g} s do not go together",
                remedy="--lease-duration must be longer than --renew-deadline, and that longer "
                "than 1.2 times --retry-period",
            )

    @property
    def shortest_seconds(self) -> float:
        """The shortest time between two beats, however many hints there are."""
        return self.retry_seconds / 10

    @property
    def leader_name(self) -> str:
        """The name of the leader's Lease."""
        return f"{self.group}-leader"

    def member_name(self, identity: str) -> str:
        """Give the name of a replica's Lease."""
        return f"{self.group}-member-{identity}"


def identity_of(host: str) -> str:
    """Give a name for this process: the pod's, for people, and what no other process has.

    Two agents in pods of one name (host network, two clusters' worth of one mistake) are told
    apart, and so is a container that was started again from the one that was killed.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")[:_MAX_HOST].strip("-")
    return f"{readable or 'agent'}-{secrets.token_hex(4)}"
