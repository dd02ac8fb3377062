"""Two agents share the work by Leases: one delivers, and the other takes over."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from flux_secret.apply.inventory import Inventory
from flux_secret.outside.deadline import ALWAYS, NEVER, Deadline
from flux_secret.settings import Flags, Settings
from flux_secret.wiring.agent import connect
from simulators.agents import Agent, agent, until, value
from simulators.world import APPLICATION, FIRST, SECOND, World

SHORT = ("--leader-elect", "--lease-duration=4s", "--renew-deadline=3s", "--retry-period=1s",
         "--sync-interval=10m", "--git-poll-interval=1s")  # fmt: skip
THIRD = b"rotated once more\n"


def delivered(running: Agent, commit: str) -> bool:
    return running.has_said(f"apps@{commit[:12]}")


def holders(world: World) -> set[str]:
    done = world.kubectl("get", "leases", "-n", f"{world.namespace}-flux", "-o", "json")
    return {lease["spec"].get("holderIdentity", "") for lease in json.loads(done.out)["items"]}


def test_one_of_two_delivers_and_the_other_takes_over_when_it_is_killed_or_stopped(
    world: World,
) -> None:
    with (
        agent(world, f"--cache-dir={world.root}/c1", *SHORT, name="one") as one,
        agent(world, f"--cache-dir={world.root}/c2", *SHORT, name="two") as two,
    ):
        until(lambda: value(world) == FIRST)
        until(lambda: len(holders(world)) == 2)
        commit = world.put("demo", SECOND)  # whoever was there first delivered the first one
        until(lambda: delivered(one, commit) or delivered(two, commit))
        killed, second = (one, two) if delivered(one, commit) else (two, one)
        killed.process.kill()
        commit = world.put("demo", THIRD)
        until(lambda: delivered(second, commit))
        until(lambda: value(world) == THIRD)
        with agent(world, f"--cache-dir={world.root}/c3", *SHORT, name="three") as last:
            until(lambda: last.has_said("replicas.changed"))
            assert second.stop() == 0
            commit = world.put("demo", SECOND)
            until(lambda: delivered(last, commit))
            until(lambda: value(world) == SECOND)
            until(lambda: len(holders(world)) == 1)  # what the killed one left is removed
            assert last.stop() == 0
    assert holders(world) <= {""}, "everything was given back"


async def test_neither_the_agent_nor_its_workers_write_when_the_lease_has_run_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(
        Flags(
            git_url=world.ops.url, git_path=[APPLICATION], store=[f"apps={world.store.url}"],
            git_gpg_key_import=[world.key], manifest_generation=True, kubeconfig=world.kubeconfig,
            generator_env=["APPLICATIONSTORE=apps"], namespace=f"{world.namespace}-flux",
            cache_dir=world.root / "cache",
        ),
        {"PATH": os.environ["PATH"], "HOME": str(world.root)},
    )  # fmt: skip
    held = Deadline(NEVER)
    async with connect(settings, held=held, workers=True) as connected:
        held.move(ALWAYS)
        done = await connected.round()
        assert done.exit_code == 0, done.errors
        written = dict(connected.client.traffic.requests)
        world.put("demo", SECOND)
        held.move(NEVER)
        done = await connected.round(anew=True)
        assert "could not renew its lease" in done.errors
        assert value(world) == FIRST
        now = connected.client.traffic.requests
        assert {**now, "GET": 0} == {**written, "GET": 0}, "nothing but GET"
        held.move(ALWAYS)
        done = await connected.round(anew=True)
        assert done.exit_code == 0, done.errors
        assert value(world) == SECOND
        ledger = connected.applier._cluster.ledger
        claim = ledger.claim

        async def runs_out(*arguments: Any) -> Inventory:  # noqa: ANN401 -- as it is called
            claimed = await claim(*arguments)
            held.move(NEVER)
            return claimed

        monkeypatch.setattr(ledger, "claim", runs_out)
        world.put("demo", FIRST)
        done = await connected.round(anew=True)
        assert "could not renew its lease" in done.errors, "the worker was asked to write"
        assert value(world) == SECOND
