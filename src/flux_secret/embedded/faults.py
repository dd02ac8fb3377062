"""What a test makes go wrong, and what was asked of the cluster."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

MOST_REMEMBERED: Final = 100_000
"""How many requests are remembered; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a test looks at it."""

    verb: str
    """RBAC's word: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`,
    `deletecollection`; for paths that are no resources, HTTP's."""
    resource: str
    """`secrets`, `deployments.apps`, `deployments.apps/status`; `""` for no resource."""
    namespace: str
    name: str
    method: str
    path: str
    user_agent: str
    content_type: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it can change anything."""
        return self.method in {"POST", "PUT", "PATCH", "DELETE"}


Predicate: TypeAlias = Callable[[Asked], bool]


class Requests:
    """What was asked since the cluster started or `clear` was called."""

    def __init__(self) -> None:
        self._asked: deque[Asked] = deque(maxlen=MOST_REMEMBERED)

    def add(self, asked: Asked) -> None:
        """Remember a request."""
        self._asked.append(asked)

    def clear(self) -> None:
        """Forget all."""
        self._asked.clear()

    def __iter__(self) -> Iterator[Asked]:
        return iter(list(self._asked))

    def __len__(self) -> int:
        return len(self._asked)

    def count(self, verb: str = "", resource: str = "") -> int:
        """Count requests of a verb, of a resource, or both."""
        return sum(verb in ("", one.verb) and resource in ("", one.resource) for one in self._asked)

    def by_verb(self) -> Counter[tuple[str, str]]:
        """Count by (verb, resource)."""
        return Counter((one.verb, one.resource) for one in self._asked)

    @property
    def writes(self) -> list[Asked]:
        """What could have changed something."""
        return [one for one in self._asked if one.is_write]


@dataclass(slots=True)
class Faults:
    """What goes wrong now."""

    forbidden: list[tuple[str, str, str]] = field(default_factory=list)
    """(verb, resource, namespace); `*` is any."""
    broken: dict[str, str] = field(default_factory=dict)
    """Group and version of an aggregated API without a backend → its message."""
    failing: list[tuple[Predicate, int]] = field(default_factory=list)
    """The next request that fits is answered with that status, once."""
    is_unreachable: bool = False
    dropped: int = 0
    """How often all watches were dropped."""

    def forbids(self, asked: Asked) -> bool:
        """Whether the request is forbidden."""
        return any(
            verb in ("*", asked.verb)
            and resource in ("*", asked.resource)
            and namespace in ("*", asked.namespace)
            for verb, resource, namespace in self.forbidden
        )

    def failure(self, asked: Asked) -> int:
        """Give the status that the request is to be answered with; 0 for none."""
        for index, (fits, status) in enumerate(self.failing):
            if fits(asked):
                del self.failing[index]
                return status
        return 0
