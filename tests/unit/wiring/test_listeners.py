"""Whether stores can be fetched is told to whom health asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux_secret.errors import UnreachableError
from flux_secret.model.names import StoreName
from flux_secret.outside.git import Fetched
from flux_secret.reconcile.vitals import Vitals
from flux_secret.wiring.listeners import noting

APPS, TEAM = StoreName("apps"), StoreName("team")


@dataclass
class Mirror:
    """A store's mirror whose host may be down, with nothing fetched before."""

    down: bool = False
    condemned: bool = False
    path: Path = Path("/nowhere")

    async def fetch(self, _branch: str | None) -> Fetched:
        if self.down:
            raise UnreachableError("the host does not answer")
        return Fetched("c" * 40)

    def condemn(self) -> None:
        self.condemned = True


@dataclass
class Repositories:
    mirrors: dict[StoreName, Mirror] = field(
        default_factory=lambda: {APPS: Mirror(), TEAM: Mirror()}
    )

    @property
    def stores(self) -> Collection[StoreName]:
        return tuple(self.mirrors)

    def store(self, name: StoreName) -> Mirror:
        return self.mirrors[name]


async def test_no_store_is_readable_once_none_can_be_fetched() -> None:
    repositories, vitals = Repositories(), Vitals()
    mirror_of = noting(repositories, vitals)

    async def fetched(name: StoreName, *, down: bool) -> bool:
        repositories.mirrors[name].down = down
        if down:
            with pytest.raises(UnreachableError):
                await mirror_of(name).fetch(None)
        else:
            assert (await mirror_of(name).fetch(None)).commit == "c" * 40
        return vitals.facts.unreadable_since is None

    assert await fetched(APPS, down=False)
    assert await fetched(APPS, down=True) is False  # of the other one nothing is known yet
    assert await fetched(TEAM, down=False)
    assert await fetched(TEAM, down=True) is False
    del repositories.mirrors[TEAM]
    assert await fetched(APPS, down=False)


def test_everything_else_of_a_mirror_is_as_it_is() -> None:
    repositories = Repositories()
    noted = noting(repositories, Vitals())(APPS)
    assert noted.path == Path("/nowhere")
    noted.condemn()
    assert repositories.mirrors[APPS].condemned
    assert noting(repositories, None)(APPS) is repositories.mirrors[APPS]
