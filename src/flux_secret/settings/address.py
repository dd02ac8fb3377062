"""An address as people configure it → the address: `$(VAR)` filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flux_secret.errors import UsageError

_VARIABLE: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def expanded(url: str, environ: Mapping[str, str]) -> str:
    """Put variables into an address: `https://$(USER):$(TOKEN)@host/repo`.

    Kubernetes does the same with a Deployment's arguments, but then the password stands in argv;
    written `$$(TOKEN)` there, it comes here as `$(TOKEN)`. A value must be percent-encoded, as for
    Flux v1 (facts: flux-v1 §5).
    """

    def value(match: re.Match[str]) -> str:
        found = environ.get(match[1])
        if not found:
            raise UsageError(
                f"the address names $({match[1]}), which is not set in the environment",
                remedy=f"set {match[1]}, percent-encoded, in the container's env",
            )
        return found.strip()

    return _VARIABLE.sub(value, url)
