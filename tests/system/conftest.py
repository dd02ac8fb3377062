"""The real programs that system tests compare with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from build import GOPASS, build
from simulators.gopass import PlainStore
from simulators.programs import fluxctl

__all__ = ["fluxctl"]


@pytest.fixture(scope="session")
def gopass() -> Path:
    """Give the real gopass 1.16: the one that GOPASS names, else one built from its module."""
    named = os.environ.get("GOPASS")
    if named:
        return Path(named)
    if shutil.which("go") is None:
        pytest.skip("no Go here to build the real gopass with, and GOPASS names none")
    return build(GOPASS) / "gopass"


@pytest.fixture(scope="module")
def plain_store(gopass: Path, tmp_path_factory: pytest.TempPathFactory) -> PlainStore:
    """Give the real gopass on a store without cryptography, for many comparisons of texts."""
    return PlainStore.create(gopass, tmp_path_factory.mktemp("plain"))
