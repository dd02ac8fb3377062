"""Flags → how long leases last, where several replicas share the work."""

from __future__ import annotations

import re
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.reconcile.replicas import Timing
from flux_secret.settings.flags import Flags
from flux_secret.settings.targets import seconds

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # a label's value, too


def timing_of(flags: Flags) -> Timing | None:
    """Give the times; None for an agent that is alone. Raises `UsageError`."""
    lease = seconds("--lease-duration", flags.lease_duration)
    if lease != int(lease):
        raise UsageError(
            f"--lease-duration {flags.lease_duration[:80]!a} is no whole number of seconds",
            remedy="a Lease counts in seconds: write 35s",
        )
    if not _NAME.fullmatch(flags.leader_election_id):
        raise UsageError(
            f"--leader-election-id {flags.leader_election_id[:80]!a} is no name",
            remedy="write small letters, digits and hyphens, 63 at most",
        )
    try:
        timing = Timing(
            int(lease),
            seconds("--renew-deadline", flags.renew_deadline),
            seconds("--retry-period", flags.retry_period),
            flags.leader_election_id,
        )
    except ConfigurationError as error:
        raise UsageError(error.what, remedy=error.remedy) from None
    return timing if flags.leader_elect else None
