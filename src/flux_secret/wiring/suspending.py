"""An agent that leaves as it is what people suspend, and a person who suspends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flux_secret.apply.installer import TARGET as INSTALLATION
from flux_secret.apply.inventory import TargetId
from flux_secret.apply.ledger import Ledger
from flux_secret.model.app import AppName
from flux_secret.reconcile.board import Board
from flux_secret.reconcile.suspension import Suspension
from flux_secret.settings import Settings
from flux_secret.settings.asking import AskingSettings
from flux_secret.settings.settings import FLAGGED
from flux_secret.wiring.agent import Connected
from flux_secret.wiring.asking import asking


@asynccontextmanager
async def holding(settings: Settings, connected: Connected, board: Board) -> AsyncIterator[None]:
    """Follow what is suspended while the block runs; nothing is delivered before it is known."""
    suspension = Suspension(connected.client, settings.cluster.namespace)
    following = asyncio.ensure_future(suspension.follow(board.hold))
    try:
        yield
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


@dataclass(frozen=True, slots=True)
class Held:
    """What a person may suspend of the agent in one namespace."""

    suspension: Suspension
    delivered: frozenset[AppName]
    """What was delivered from there so far, however it came to the agent."""


@asynccontextmanager
async def suspension_of(settings: AskingSettings, namespace: str) -> AsyncIterator[Held]:
    """Connect, and give what may be suspended of the agent in a namespace."""
    async with asking(settings) as (client, _):
        ledger = Ledger(client, namespace)
        await ledger.open()
        targets = [one.target for one in ledger.inventories()]
        names = {_name(target, namespace) for target in targets
                 if target != TargetId.of(INSTALLATION)}  # fmt: skip
        yield Held(Suspension(client, namespace), frozenset(names))


def _name(target: TargetId, agent_namespace: str) -> AppName:
    """Give whose target it is: without an App's name, that of Flux v1's flags."""
    namespace, _, name = target.app.partition("/")
    return AppName(namespace, name) if name else AppName(agent_namespace, FLAGGED)
