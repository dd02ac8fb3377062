"""A machine → the sandbox that works on it, tried out, or why there is none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, FluxSecretError
from flux_secret.outside.files import scratch
from flux_secret.outside.process import Limits
from flux_secret.outside.sandbox import landlock, view
from flux_secret.outside.sandbox.sandbox import Kind, Room, Sandbox, find_bubblewrap
from flux_secret.outside.supervision.supervisors import Supervisors

PROBE_SECONDS: Final = 20.0
_PROOF: Final = "inside"
_SAID: Final = 200  # characters of what a probe complained of


async def find_sandbox(path: str, supervisors: Supervisors) -> Sandbox:
    """Give bubblewrap where it works, else Landlock where it works.

    `path` is PATH. Raises `ConfigurationError` that says why neither does.
    """
    reasons = []
    bubblewrap = find_bubblewrap(path)
    if bubblewrap is None:
        reasons.append("bubblewrap is not installed")
    else:
        sandbox = Sandbox(Kind.BUBBLEWRAP, bubblewrap)
        reason = await _fails(sandbox, path, supervisors)
        if reason is None:
            return sandbox
        reasons.append(f"bubblewrap does not work here: {reason}")
    version = landlock.abi() if sys.platform == "linux" else 0
    if version < landlock.MIN_ABI:
        reasons.append(
            f"the kernel's Landlock has version {version}, and {landlock.MIN_ABI} is needed "
            "(Linux 6.12)"
        )
    else:
        sandbox = Sandbox(Kind.LANDLOCK)
        reason = await _fails(sandbox, path, supervisors)
        if reason is None:
            return sandbox
        reasons.append(f"Landlock does not work here: {reason}")
    raise ConfigurationError(
        f"there is no sandbox for generators: {'; '.join(reasons)}",
        remedy="install bubblewrap and allow user namespaces, or run on Linux 6.12 or newer; "
        "to run generators with the agent's rights, key included: --unsafe-no-sandbox",
    )


async def _fails(sandbox: Sandbox, path: str, supervisors: Supervisors) -> str | None:
    """Run something small inside; say what went wrong, None when nothing did."""
    with scratch("probe") as place:
        file = Path(place) / _PROOF
        room = Room(writable=(place,), tools=view.tools(path))
        try:
            argv, confinement = sandbox.confined(
                ["/bin/sh", "-c", f"echo {_PROOF} >{_PROOF}"], room, place
            )
            done = await supervisors.run(
                argv, env={}, cwd=place, limits=Limits(PROBE_SECONDS), confinement=confinement
            )
        except FluxSecretError as error:
            return error.what
        if done.returncode == 0 and file.is_file():
            return None
        said = done.untrusted_stderr.decode(errors="replace").strip() or "it printed no reason"
        return ascii(said[:_SAID])[1:-1]
