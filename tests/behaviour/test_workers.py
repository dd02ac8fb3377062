"""The agent delivers by workers: it holds no value, and what they do ends with them."""

from __future__ import annotations

import base64
import os
import re
import signal
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from flux_secret.outside.supervision import group
from simulators.agents import Agent, agent, until, value
from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

QUIET = ("--sync-interval=1h", "--git-poll-interval=1s")
CANARY = b"canary-7f3a-worth-a-fortune\n"
HANGING = "#!/bin/sh\ngopass show apps/demo >/dev/null\nsleep 611\n"
SCRIPT = f"{APPLICATION}/secrets.yaml.sh"


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def family(running: Agent) -> list[int]:
    return group.descendants(running.process.pid)


def nursery(running: Agent) -> int:
    """Give the process that forks workers; whoever is below it is one."""
    (found,) = (one for one in group.children(running.process.pid) if "wiring.worker" in words(one))
    return found


def workers(running: Agent) -> list[int]:
    return group.children(nursery(running))


def sleeping(running: Agent) -> list[int]:
    return [one for one in family(running) if words(one).startswith("sleep 611")]


def left_by(worker: int) -> list[Path]:
    """Give its folders in memory."""
    places = dict.fromkeys((Path("/dev/shm"), Path(tempfile.gettempdir())))
    return [one for place in places for one in place.glob(f"flux-secret-scratch-*-{worker}-*")]


def memory(pid: int) -> Iterator[bytes]:
    """Read all that a process has in memory of its own, region by region."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as image:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found is None:
                continue
            begins, ends = (int(number, 16) for number in found.groups())
            image.seek(begins)
            try:
                yield image.read(ends - begins)
            except OSError:  # a region that no process may read, as the kernel's own
                continue


def holds(pid: int, texts: Iterable[bytes]) -> bool:
    return any(text in region for region in memory(pid) for text in texts)


def test_after_a_delivery_no_process_of_the_agent_holds_the_value(world: World) -> None:
    forms = [CANARY.strip(), base64.b64encode(CANARY)[:-4]]
    world.put("demo", CANARY)
    with agent(world, "--sync-interval=1h", "--git-poll-interval=1h") as running:
        until(lambda: value(world) == CANARY)
        until(lambda: running.has_said("msg=delivery.finished"))
        until(lambda: len(family(running)) == 2)  # what forks workers, and what forks commands
        left = [running.process.pid, *family(running)]
        assert holds(left[0], [world.ops.head.encode()])  # what is looked for there is found
        assert not any(holds(pid, forms) for pid in left)
        assert running.stop() == 0


def test_a_worker_that_is_killed_takes_its_script_along_and_nothing_else(world: World) -> None:
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        good = world.ops.path.joinpath(SCRIPT).read_text()
        world.ops.commit({SCRIPT: Executable(HANGING)})
        until(lambda: bool(sleeping(running)))
        (worker,) = workers(running)
        os.kill(worker, signal.SIGKILL)
        until(lambda: running.has_said("the worker of this delivery was killed by SIGKILL"))
        until(lambda: worker not in workers(running))
        assert value(world) == FIRST
        world.ops.commit({SCRIPT: Executable(good)})  # first: nobody waits for the other's end
        world.put("demo", CANARY)
        until(lambda: value(world) == CANARY)
        until(lambda: not sleeping(running))
        assert running.stop() == 0


def test_a_delivery_that_hangs_is_ended_in_time_with_its_script(world: World) -> None:
    world.ops.commit({SCRIPT: Executable(HANGING)})
    with agent(world, *QUIET, "--delivery-timeout=4s", "--sync-timeout=10m") as running:
        until(lambda: bool(sleeping(running)))
        (worker,) = workers(running)
        assert left_by(worker)
        until(lambda: running.has_said("this delivery did not end within 4 s and was ended"))
        until(lambda: not sleeping(running))
        assert value(world) is None
        assert not left_by(worker)


def test_a_delivery_is_ended_with_the_agent_that_is_killed(world: World) -> None:
    world.ops.commit({SCRIPT: Executable(HANGING)})
    with agent(world, *QUIET, "--sync-timeout=10m") as running:
        until(lambda: bool(sleeping(running)))
        everybody = family(running)
        running.process.kill()
        until(lambda: not any(words(one) for one in everybody))


def test_workers_share_the_agents_gpg_for_keys_that_only_gpg_can_use(world: World) -> None:
    who = "mixed@example.org"
    world.gnupg.rsa(who, 2048, mixed=True)  # encrypts and signs with one key
    world.readers = (*world.readers, who)
    world.key.write_bytes(world.gnupg.private_key(who))
    world.put("demo", FIRST)
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        (one,) = agents_of_gpg(running)
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        assert agents_of_gpg(running) == [one]
        assert running.stop() == 0
    assert not words(one)


def agents_of_gpg(running: Agent) -> list[int]:
    """Give those whose home is a folder of the agent's; a daemon is nobody's child."""
    home = f"flux-secret-scratch-gpg-{running.process.pid}-"
    every = (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit())
    return [one for one in every if home in words(one) and "gpg-agent" in words(one)]


def test_what_forks_workers_is_started_anew_when_it_was_killed(world: World) -> None:
    with agent(world, *QUIET) as running:
        until(lambda: value(world) == FIRST)
        until(lambda: not workers(running))
        killed = nursery(running)
        os.kill(killed, signal.SIGKILL)
        world.put("demo", CANARY)
        until(lambda: value(world) == CANARY)
        assert nursery(running) != killed
        assert running.stop() == 0


def test_no_image_of_these_processes_reaches_a_disk(world: World) -> None:
    world.ops.commit({SCRIPT: Executable(HANGING)})
    with agent(world, *QUIET, "--sync-timeout=10m") as running:
        until(lambda: bool(sleeping(running)))
        for pid in (running.process.pid, nursery(running), *workers(running)):
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        (worker,) = workers(running)
        assert Path(f"/proc/{worker}/oom_score_adj").read_text().strip() == "900"


def test_a_secret_that_moves_to_another_git_path_is_handed_over_with_its_value(
    world: World,
) -> None:
    """Nobody but a worker has the value, so the new path is delivered once more."""
    good = world.ops.path.joinpath(SCRIPT).read_text()
    empty = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}, namespace: {}}}\n"
    world.ops.commit({"other/c.yaml": empty.format("other", world.namespace)})
    with agent(world, *QUIET, path=f"{APPLICATION},other") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: running.has_said("target=other"))
        before = world.get("secret", "demo-secret")
        assert before is not None
        world.ops.commit({
            SCRIPT: Executable("#!/bin/sh\n" + empty.format("d", world.namespace).join(
                ("cat <<EOF\n", "EOF\n"))),
            "other/.flux.yaml":
                "version: 1\ncommandUpdated:\n  generators:\n  - command: ./secrets.yaml.sh\n",
            "other/secrets.yaml.sh": Executable(good),
        })  # fmt: skip
        until(lambda: running.has_said('output="secret/demo-secret configured" target=other'))
        after = world.get("secret", "demo-secret")
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["data"] == before["data"]
        until(lambda: world.get("configmap", "d") is not None)
        assert running.stop() == 0
