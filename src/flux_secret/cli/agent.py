"""`flux-secret agent`: deliver in a loop, with Flux v1's flags."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import resource
import signal
from typing import Any, Final

import click
import structlog

import flux_secret
from flux_secret.cli.agent_options import agent_options
from flux_secret.cli.flux_v1 import flux_v1_options, warn_of
from flux_secret.cli.logformat import as_json
from flux_secret.cli.options import delivery_options, flags
from flux_secret.cli.record_options import record_options
from flux_secret.cli.sync_options import agent_marker_options
from flux_secret.errors import FluxSecretError
from flux_secret.outside.files import remove_stale_scratch
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.departures import Left
from flux_secret.reconcile.replicas import Replicas
from flux_secret.settings import Flags, Settings
from flux_secret.wiring import onrecord
from flux_secret.wiring.agent import connect, serving
from flux_secret.wiring.parting import Parted, parting
from flux_secret.wiring.recording import recording
from flux_secret.wiring.replicas import restarting, sharing
from flux_secret.wiring.resident import following
from flux_secret.wiring.suspending import holding

STORES_SECONDS: Final = 2.0  # between two looks at `--stores-from` and `--config`
GRACE_SECONDS: Final = 20.0  # a pod has 30 s, and its end takes some
_FORCED = "--git-readonly prevents use of --sync-state=git. Forcing to --sync-state=secret"
_ONLY_KEY = (
    "--listen names every interface and there is no token: whoever asks from elsewhere than this "
    "machine is given the deploy key's public half, as probes are, and nothing else"
)
_log = structlog.get_logger()


@click.command()
@delivery_options
@agent_options
@agent_marker_options
@record_options
@flux_v1_options
@click.version_option(flux_secret.__version__, message="%(version)s")
def agent(**given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Deliver applications with their secrets whenever a repository or a store has changed."""
    if given["log_format"] == "json":
        as_json()
    _log.info(flux_secret.__version__, headline="version")
    warn_of(given)
    asked = dataclasses.replace(flags(given), unattended=True)
    settings = Settings.load(asked)
    if settings.sync.forced:
        _log.warning(_FORCED, headline="warning")
    if settings.listen.only_key_elsewhere:
        _log.info("listen.only_key", reason=_ONLY_KEY)
    _clean_up()
    asyncio.run(_run(asked, settings))


def _clean_up() -> None:
    """Leave no image of this process on a disk, and nothing that a killed one left in memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for path in remove_stale_scratch():
        _log.info("scratch.removed", path=str(path), reason="a process was killed and left it")


async def _run(asked: Flags, settings: Settings) -> None:
    """Run until a signal; connect anew when a store was registered meanwhile."""
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    # what is given back at the end is taken by others at once: nothing writes any more by then
    async with sharing(settings) as replicas, serving(settings, replicas) as board:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, board.look)
        board.hold(None)  # until the cluster has said what is suspended
        if settings.replicas is not None:
            replicas.subscribe(lambda: board.vitals.elected(leading=replicas.is_leader))
        await _deliver_until(stopping, asked, settings, Shared(board, replicas))


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    """What outlives a connection."""

    board: Board
    replicas: Replicas


async def _deliver_until(
    stopping: asyncio.Event, asked: Flags, settings: Settings, shared: Shared
) -> None:
    board, replicas, left = shared.board, shared.replicas, Left()
    told: Settings | None = None
    while not stopping.is_set():
        async with (
            connect(settings, board.vitals, replicas.held, workers=True) as connected,
            recording(settings, connected, board),
            following(settings, connected, board, replicas) as resources,
            restarting(connected.restarter, board, replicas),
            holding(settings, connected, board),
            parting(settings, connected, board, Parted(replicas, left)),
        ):
            await onrecord.begin(connected.record, settings, told)
            told = settings
            board.connected(connected.live)
            board.addresses = connected.repositories.addresses
            for app in settings.apps:  # what may be read is another thing now
                board.put(app)
            running = asyncio.ensure_future(
                board.scheduler.run(
                    connected.deliver,
                    connected.repositories,
                    connected.forget,
                    connected.touched,
                )
            )
            stopped = asyncio.ensure_future(stopping.wait())
            changed = asyncio.ensure_future(_changed(asked, settings))
            asking = asyncio.ensure_future(board.vitals.watch_cluster(connected.ping))
            ends: set[asyncio.Future[Any]] = {running, stopped, changed}
            ends |= {resources} if resources else set()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                board.vitals.stops()
            board.scheduler.stop()
            await _finished(running)
            asking.cancel()
            if resources is not None and resources.done():
                resources.result()
            board.connected(None)
            if stopping.is_set():
                await onrecord.end(connected.record)
        stopped.cancel()
        if not changed.cancel():
            before, settings = settings, changed.result()
            for app in left.note(before.apps, settings.apps):
                await board.scheduler.drop(app.name)
                board.forget(app.name)
    _log.info("true", headline="stopping")


async def _finished(running: asyncio.Future[None]) -> None:
    """Wait for the rounds that are running, but not longer than a pod is given; then end them."""
    await asyncio.wait([running], timeout=GRACE_SECONDS)
    if not running.done():
        _log.warning(
            "stopping.abandoned",
            reason=f"a delivery took longer than {GRACE_SECONDS} s: "
            "what it wrote is in its list, and the next one goes on from there",
        )
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _changed(asked: Flags, settings: Settings) -> Settings:
    """Wait until `--stores-from` or `--config` say something else; what is unusable is told."""
    told = ""
    while True:
        await asyncio.sleep(STORES_SECONDS)
        try:
            fresh = Settings.load(asked)
        except FluxSecretError as failure:
            if failure.what != told:
                told = failure.what
                _log.warning("settings.unusable", err=failure.what, remedy=failure.remedy)
            continue
        if _followed(fresh) != _followed(settings):
            _log.info(
                "settings.changed",
                stores=" ".join(map(str, fresh.stores)),
                apps=" ".join(str(app.name) for app in fresh.apps),
            )
            return fresh


def _followed(settings: Settings) -> tuple[object, ...]:
    """Give what an agent that is connected goes by: it connects anew when that changes."""
    return settings.stores, settings.apps, settings.anchors
