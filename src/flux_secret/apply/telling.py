"""What applying says in the log: the lines that Flux v1 had of kubectl and of garbage collection.

The words are Flux v1's (pkg/cluster/kubernetes/sync.go), for those who look for them in a log.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.model.change import ChangeSet
from flux_secret.model.flux_v1 import resource_id
from flux_secret.model.names import ObjectKey

MAX_LINES: Final = 100  # of what one apply did
_log = structlog.get_logger(component="cluster", method="Sync")


@contextmanager
def applying(target: str, count: int, changes: ChangeSet) -> Iterator[None]:
    """Say that objects are being applied, and how that ended: `changes` is filled meanwhile."""
    if not count:
        yield
        return
    _log.info("apply", headline="cmd", args="", count=count, target=target)
    before, began, stopped = len(changes), time.monotonic(), ""
    try:
        yield
    except FluxSecretError as failure:
        stopped = failure.what
        raise
    finally:
        done = list(changes)[before:]
        failed = sum(one.error is not None for one in done)
        err = stopped or (f"{failed} of {count} objects could not be applied" * bool(failed))
        lines = [str(one) for one in done[:MAX_LINES]]
        if len(done) > MAX_LINES:
            lines.append(f"and {len(done) - MAX_LINES} more")
        say = _log.error if err else _log.info
        say(
            "server-side apply", headline="cmd", took=f"{time.monotonic() - began:.3f}s",
            err=err or None, output="\n".join(lines), target=target,
        )  # fmt: skip


def removing(key: ObjectKey, *, dry: bool) -> None:
    """Say that an object is removed, or would be."""
    _log.info(
        "cluster resource not in resources to be synced; deleting",
        headline="info", resource=resource_id(key), **{"dry-run": dry},
    )  # fmt: skip
