"""The real fluxctl and the real sops, as people use them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from build import FLUXCTL, SOPS, build
from flux_secret.outside.process import Completed, Limits, run


@pytest.fixture(scope="session")
def fluxctl() -> Path:
    """Give the real fluxctl 1.25.4: the one that FLUXCTL names, else one built from its module."""
    named = os.environ.get("FLUXCTL")
    if named:
        return Path(named)
    if not FLUXCTL.directory.is_dir() and shutil.which("go") is None:
        pytest.skip("no Go here to build the real fluxctl with, and FLUXCTL names none")
    return build(FLUXCTL) / "fluxctl"


@pytest.fixture(scope="session")
def sops() -> Path:
    """Give the real sops 3.13: the one that SOPS names, else one built from its module."""
    named = os.environ.get("SOPS")
    if named:
        return Path(named)
    if not SOPS.directory.is_dir() and shutil.which("go") is None:
        pytest.skip("no Go here to build the real sops with, and SOPS names none")
    return build(SOPS) / "sops"


async def ask(fluxctl: Path, url: str, *arguments: str) -> Completed:
    """Run it as a person does who has forwarded the agent's port."""
    return await run(
        [str(fluxctl), f"--url={url}/api/flux", *arguments],
        env={"HOME": "/nonexistent"},
        cwd=Path("/"),
        limits=Limits(60.0),
    )


def said(done: Completed) -> str:
    """Give what it printed."""
    return (done.untrusted_stdout + done.untrusted_stderr).decode()
