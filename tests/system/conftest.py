"""The real programs that system tests compare with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from build import FLUXCTL, GOPASS, build


@pytest.fixture(scope="session")
def gopass() -> Path:
    """Give the real gopass 1.16: the one that GOPASS names, else one built from its module."""
    named = os.environ.get("GOPASS")
    if named:
        return Path(named)
    if shutil.which("go") is None:
        pytest.skip("no Go here to build the real gopass with, and GOPASS names none")
    return build(GOPASS) / "gopass"


@pytest.fixture(scope="session")
def fluxctl() -> Path:
    """Give the real fluxctl 1.25.4: the one that FLUXCTL names, else one built from its module."""
    named = os.environ.get("FLUXCTL")
    if named:
        return Path(named)
    if not FLUXCTL.directory.is_dir() and shutil.which("go") is None:
        pytest.skip("no Go here to build the real fluxctl with, and FLUXCTL names none")
    return build(FLUXCTL) / "fluxctl"
