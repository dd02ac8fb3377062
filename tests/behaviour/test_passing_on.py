"""What reaches one of two agents reaches the one that delivers: a git host's call, and a sync.

Nobody here knows whose the App is: each question is put to either of them in turn.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from behaviour.test_agent import EMPTIED
from behaviour.test_webhook import QUIET, SECRET, Ports
from simulators.agents import Agent, address, agent, until, value
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

SHARED = ("--leader-elect", "--lease-duration=6s", "--renew-deadline=4s", "--retry-period=1s")
THIRD = b"rotated once more\n"


@contextmanager
def two(world: World) -> Iterator[Sequence[Agent]]:
    """Run two that look for commits once an hour, and know each other."""
    file = world.root / "webhook-secret"
    file.write_bytes(SECRET)
    flags = (*SHARED, *QUIET, "--listen-webhook=127.0.0.1:0", f"--webhook-secret-file={file}")
    with (
        agent(world, f"--cache-dir={world.root}/c1", *flags, name="one") as one,
        agent(world, f"--cache-dir={world.root}/c2", *flags, name="two") as other,
    ):
        until(lambda: knows_another(one) and knows_another(other))
        until(lambda: value(world) == FIRST)
        yield one, other
        assert one.stop() == 0
        assert other.stop() == 0


def knows_another(running: Agent) -> bool:
    """Whether the last line about replicas names two, and nobody is waited for."""
    said = re.findall(r"replicas\.changed.*", running.log.read_text())
    return bool(said) and re.search(r'members="\S+ \S+".* waiting= ', said[-1]) is not None


def passed_on(each: Sequence[Agent], word: str) -> Sequence[int]:
    return [running.log.read_text().count(f"{word}.passed_on") for running in each]


def test_a_git_hosts_call_to_either_is_delivered_at_once(world: World) -> None:
    with two(world) as both:
        for running, text in zip(both, (SECOND, THIRD), strict=True):
            world.put("demo", text)
            assert Ports(running).push(world.store.url) == 202
            until(lambda text=text: value(world) == text)  # type: ignore[misc]
        until(lambda: passed_on(both, "hint") == [1, 1])


def test_a_sync_asked_of_either_is_done_and_both_say_how_it_ended(world: World) -> None:
    with two(world) as both:
        for running, text in zip(both, (SECOND, THIRD), strict=True):
            commit = world.put("demo", text)
            done = world.run("sync", f"--url={address(running)}")
            assert done.code == 0, done.err
            assert value(world) == text
            assert f"{APPLICATION}: delivered at {world.ops.head[:12]}" in done.out
            assert commit[:12] in done.out
            assert re.search(r"^secret/demo-secret configured", done.out, re.MULTILINE), done.out
        world.damage("demo")
        for running in both:
            failed = world.run("sync", f"--url={address(running)}")
            assert failed.code == 4
            assert f"{APPLICATION}: not delivered" in failed.out
            assert "demo" in failed.err
        assert passed_on(both, "sync") == [2, 2]


def test_what_is_held_is_confirmed_through_either(world: World) -> None:
    with two(world) as both:
        script = Executable(EMPTIED.replace("NAMESPACE", world.namespace))
        world.ops.commit({f"{APPLICATION}/secrets.yaml.sh": script})
        tokens = set()
        for running in both:
            held = world.run("sync", f"--url={address(running)}")
            assert held.code == 4, held.out + held.err
            tokens |= set(re.findall(r"--confirm (\w+)", held.err))
        (token,) = tokens
        assert value(world) == FIRST
        for running in both:
            done = world.run("sync", f"--url={address(running)}", f"--confirm={token}")
            assert done.code == 0, done.err
            assert value(world) == b""


def test_no_value_and_no_address_stands_in_a_lease(world: World) -> None:
    with two(world) as both:
        world.put("demo", SECOND)
        for running in both:
            assert Ports(running).push(world.store.url) == 202
            assert world.run("sync", f"--url={address(running)}").code == 0
        listed = world.kubectl("get", "leases", "-n", f"{world.namespace}-flux", "-o", "json").out
        notes = [lease["metadata"].get("annotations", {}) for lease in json.loads(listed)["items"]]
        said = " ".join(one.get("flux-secret.io/says", "") for one in notes)
        assert '"hints"' in said
        for secret in (FIRST, SECOND, SECRET, world.store.url.encode(), world.ops.url.encode()):
            assert secret.decode().strip() not in said
