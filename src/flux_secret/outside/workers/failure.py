"""How a worker ended that did not say what came of its work → one of our errors."""

from __future__ import annotations

import signal
from typing import Final

from flux_secret.errors import FluxSecretError

_MIB: Final = 1024 * 1024
_AGAIN: Final = "it is tried again; the last good objects stay"


class WorkerLostError(FluxSecretError):
    """The process of a delivery ended before the delivery did."""

    exit_code = 5
    retryable = True


def lost(returncode: int | None) -> WorkerLostError:
    """Say how it ended; None when nobody knows."""
    if returncode is None:
        how = "was lost with the process that had forked it"
    elif returncode < 0:
        how = f"was killed by {signal.Signals(-returncode).name}"
    else:
        how = f"ended with {returncode}"
    return WorkerLostError(
        f"the worker of this delivery {how}",
        remedy=f"{_AGAIN}; where memory is short the kernel kills: see `dmesg`",
    )


def too_slow(seconds: float) -> WorkerLostError:
    """Say that it took too long."""
    return WorkerLostError(
        f"this delivery did not end within {seconds:g} s and was ended",
        remedy=f"{_AGAIN}; see what it waits for, or raise --delivery-timeout",
    )


def out_of_memory(limit: int) -> WorkerLostError:
    """Say that it wanted more memory than it may have."""
    return WorkerLostError(
        f"this delivery needed more than {limit / _MIB:g} MiB of memory and was ended",
        remedy=f"{_AGAIN}; make what it generates smaller, or raise --delivery-memory",
    )


def not_started(returncode: int | None) -> WorkerLostError:
    """Say that there is nobody to fork workers."""
    return WorkerLostError(
        f"the process that forks workers did not start (it ended with {returncode})",
        remedy="it is started anew with the next delivery; look for what kills processes here",
    )
