"""What checking out needs of whoever keeps mirrors and lays out trees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from flux_secret.model.target import Source


class Mirror(Protocol):
    """Keeps one repository at hand."""

    path: Path

    def fetch(self, branch: str | None) -> Awaitable[str]:
        """Fetch and give the branch's commit."""

    def condemn(self) -> None:
        """Say that an object was missing or damaged: the next fetch makes the mirror anew."""


MirrorOf = Callable[[Source], Mirror]
LayOut = Callable[[Path, str], AbstractAsyncContextManager[Path]]
"""(bare repository, commit) → a private writable copy of the tree, gone afterwards."""
