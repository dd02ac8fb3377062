"""The leader's Lease as it was read → what a candidate writes now, if anything. Pure."""

from __future__ import annotations

from dataclasses import replace

from flux_secret.outside.kubernetes.lease import Lease


def claim(lease: Lease | None, wanted: Lease, *, live: bool) -> Lease | None:
    """Give what to write: `wanted`, with what the one that is there says; None to wait.

    `wanted` names the candidate and the time; `live` says whether the holder of `lease` lives.
    """
    if lease is None:
        return wanted
    following = replace(wanted, uid=lease.uid, version=lease.version)
    if lease.holder == wanted.holder:
        return replace(following, acquired=lease.acquired, transitions=lease.transitions)
    return None if live else replace(following, transitions=lease.transitions + 1)


def released(lease: Lease) -> Lease:
    """Give what a leader leaves behind, for others to take at once."""
    return replace(lease, holder="", duration_seconds=1)
