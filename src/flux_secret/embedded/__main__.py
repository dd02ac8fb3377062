"""`python -m flux_secret.embedded --kubeconfig FILE`: serve until told to stop.

FILE is written, whole, once the API server answers; it holds the token.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import signal
from pathlib import Path

from flux_secret.embedded.cluster import EmbeddedCluster, serve_forever


async def _serve(kubeconfig: Path, port: int) -> None:
    def ready(cluster: EmbeddedCluster) -> None:
        part = kubeconfig.with_suffix(".part")
        cluster.write_kubeconfig(part)
        part.replace(kubeconfig)

    serving = asyncio.ensure_future(
        serve_forever("127.0.0.1", port, secrets.token_urlsafe(24), ready)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m flux_secret.embedded", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, metavar="FILE")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    options = parser.parse_args()
    asyncio.run(_serve(options.kubeconfig, options.port))


if __name__ == "__main__":
    main()
