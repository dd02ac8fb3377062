"""One replica as a process: `python replica.py KUBECONFIG NAMESPACE NAME LEASE RENEW RETRY`.

It prints a line of JSON whenever what it owns may have changed, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from flux_secret.outside.kubernetes import Limits, connect, load
from flux_secret.outside.kubernetes.lease import Leases
from flux_secret.reconcile.membership import Membership
from flux_secret.reconcile.replicas import Timing, identity_of

APPS = tuple(f"app-{number}" for number in range(24))


async def main(kubeconfig: str, namespace: str, name: str, *times: str) -> None:
    """Take part until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    timing = Timing(int(times[0]), float(times[1]), float(times[2]))
    limits = Limits(total_seconds=timing.retry_seconds, tries=1)

    def say() -> None:
        owned = [app for app in APPS if member.owns(app)]
        print(json.dumps({"owned": owned, "leader": member.is_leader}), flush=True)  # noqa: T201

    async with connect(load(Path(kubeconfig)), limits) as client:
        leases = Leases(client, namespace, timing.group)
        member = Membership(leases, identity_of(name), timing)
        member.subscribe(say)
        async with member:
            await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
