"""The real programs that system tests compare with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from build import GOPASS, build
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
