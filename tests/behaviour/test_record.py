"""The record of an agent, told as stories: killed in the middle, no room left, what lines say."""

from __future__ import annotations

import base64
import contextlib
import json
import signal
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flux_secret.audit.places import FolderPlace
from flux_secret.audit.verify import verify
from simulators.agents import Agent, agent, asked, until, value
from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

QUICK = ("--sync-interval=1h", "--git-poll-interval=1s")
TINY = 256 * 1024  # bytes


def folder(world: World, running: Agent | None = None) -> Path:
    """Give where the record is; as the agent sees it, where it has a place of its own."""
    inside = Path(f"/proc/{running.process.pid}/root") if running else Path("/")
    return inside / str(world.root / "record").lstrip("/")


def lines(place: Path) -> list[dict[str, Any]]:
    """Give all records; the last line may be half written still."""
    texts = (file.read_bytes() for file in sorted(place.glob("*/*.jsonl")))
    return [json.loads(line) for text in texts for line in text.split(b"\n")[:-1]]


def kinds(place: Path) -> Counter[str]:
    return Counter(line["kind"] for line in lines(place))


def record(world: World) -> str:
    return f"--record-dir={world.root / 'record'}"


def test_every_kind_has_its_line_and_no_line_has_a_value(world: World) -> None:
    with agent(world, *QUICK, record(world), "--sync-garbage-collection") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: kinds(folder(world))["outcome"] == 1)
        seen = kinds(folder(world))
        world.put("demo", SECOND)
        until(lambda: value(world) == SECOND)
        until(lambda: kinds(folder(world))["outcome"] == 2)
        overlay = f"{APPLICATION}/kustomization.yaml"
        text = (world.ops.path / overlay).read_text()
        world.ops.commit({overlay: text.replace("- service.yaml\n", "")})
        until(lambda: kinds(folder(world))["pruned"] == 1)
        world.store.remove("demo.gpg")
        until(lambda: kinds(folder(world))["refused"] == 1)
        assert running.stop() == 0
    assert seen == {
        "segment": 1, "key": 2, "started": 1, "settings": 1,
        "read": 1, "intent": 1, "delivered": 4, "outcome": 1,
    }  # fmt: skip
    found = lines(folder(world))
    assert found[-1]["kind"] in {"stopped", "signature"}
    assert kinds(folder(world))["stopped"] == 1
    refused = next(line for line in found if line["kind"] == "refused")
    assert refused["about"] == "apps/demo"
    assert "no entry apps/demo" in refused["details"]["error"]
    everything = b"".join(file.read_bytes() for file in folder(world).rglob("*") if file.is_file())
    for secret in (FIRST.strip(), SECOND.strip()):
        assert secret not in everything
        assert base64.b64encode(secret)[:-4] not in everything
    report = verify([FolderPlace(folder(world))], None)
    assert report.faults == []
    assert not any("intent" in one for one in report.findings)


def test_a_pass_with_nothing_to_do_writes_nothing(world: World) -> None:
    quick = ("--sync-interval=1s", "--git-poll-interval=1s", "--regenerate-interval=1h")
    with agent(world, *quick, record(world)) as running:
        until(lambda: kinds(folder(world))["outcome"] == 1)
        seen = lines(folder(world))
        passes = running.log.read_text().count("msg=delivery.finished")
        until(lambda: running.log.read_text().count("msg=delivery.finished") >= passes + 3)
        assert lines(folder(world)) == seen


def many(world: World, number: int) -> None:
    """Let a delivery take a while: a deployment of many objects."""
    names = [f"c{one}" for one in range(number)]
    maps = "---\n".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n"
        for name in names
    )
    overlay = f"{APPLICATION}/kustomization.yaml"
    text = (world.ops.path / overlay).read_text()
    with_maps = text.replace("- service.yaml\n", "- service.yaml\n  - maps.yaml\n")
    world.ops.commit({overlay: with_maps, f"{APPLICATION}/maps.yaml": maps})


def test_an_agent_that_is_killed_in_the_middle_leaves_an_intent_without_outcome(
    world: World,
) -> None:
    many(world, 400)
    with agent(world, *QUICK, record(world)) as running:
        until(lambda: kinds(folder(world))["intent"] == 1)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
    assert kinds(folder(world))["outcome"] == 0, "it was too fast to be killed in the middle"
    (intent,) = (line for line in lines(folder(world)) if line["kind"] == "intent")
    with agent(world, *QUICK, record(world), name="again"):
        until(lambda: kinds(folder(world))["outcome"] == 1)
    report = verify([FolderPlace(folder(world))], None)
    assert report.faults == []
    told = [one for one in report.findings if f"record {intent['seq']} " in one]
    assert len(told) == 1, report.findings
    assert "nothing says how it ended: its process died" in told[0]


def in_a_tiny_place(world: World) -> Sequence[str]:
    """Give the record a small disk of its own, which only the agent sees."""
    place = world.root / "record"
    place.mkdir()
    mount = f'mount -t tmpfs -o size={TINY} tiny {place} && exec "$@"'
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")


def delivered_or_said(world: World, running: Agent, new: bytes) -> bool:
    return value(world) == new or running.has_said("nothing can be recorded in")


def test_while_the_disk_is_full_nothing_is_delivered_and_it_goes_on_by_itself(
    world: World,
) -> None:
    """No unrecorded read reaches a cluster; the last good stays, and it is said loudly."""
    flags = (*QUICK, record(world), "--listen-health=127.0.0.1:0")
    with agent(world, *flags, within=in_a_tiny_place(world)) as running:
        until(lambda: value(world) == FIRST)
        place = folder(world, running)
        until(lambda: kinds(place)["outcome"] == 1)
        ballast = place / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        values = (f"value {number}\n".encode() for number in range(50))
        good, stuck = FIRST, FIRST
        while not running.has_said("nothing can be recorded in"):  # its last page has some room
            good, stuck = stuck, next(values)
            world.put("demo", stuck)
            until(partial(delivered_or_said, world, running, stuck))
        reads, delivered = (kinds(place)[kind] for kind in ("read", "delivered"))
        until(lambda: "[-]record failed" in asked(running, "health", "/readyz")[1])
        assert asked(running, "health", "/healthz")[0] == 200
        assert value(world) == good
        assert (kinds(place)["read"], kinds(place)["delivered"]) == (reads, delivered)
        metrics = asked(running, "", "/metrics")[1]
        assert "flux_secret_record_failing 1.0" in metrics
        ballast.unlink()
        until(lambda: value(world) == stuck)
        until(lambda: kinds(place)["delivered"] > delivered)
        assert kinds(place)["resumed"] == 1
        assert "flux_secret_record_failing 0.0" in asked(running, "", "/metrics")[1]
        until(lambda: "record" not in asked(running, "health", "/readyz")[1])


FORGER = r"""#!/bin/sh
{ rm -rf RECORD; mkdir -p RECORD/agent-000000000000
  for file in RECORD/*/*.jsonl; do echo '{"kind":"read","about":"apps/forged"}' >>"$file"; done
  for handle in /proc/[0-9]*/fd/[3-9]*; do echo '{"kind":"outcome"}' >"$handle"; done
} >/dev/null 2>&1 &
wait
gopass show 'apps/none
{"kind":"read","about":"apps/forged"}' 2>/dev/null
gopass show 'apps/"},"kind":"read","about":"apps/forged' 2>/dev/null
exec ./honest.sh
"""


def test_a_script_can_neither_write_a_line_nor_keep_one_from_being_written(world: World) -> None:
    script, honest = f"{APPLICATION}/secrets.yaml.sh", f"{APPLICATION}/honest.sh"
    good = (world.ops.path / script).read_text()
    forger = FORGER.replace("RECORD", str(world.root / "record"))
    with agent(world, *QUICK, record(world)) as running:
        until(lambda: kinds(folder(world))["outcome"] == 1)
        before = lines(folder(world))
        world.ops.commit({script: Executable(forger), honest: Executable(good)})
        until(lambda: kinds(folder(world))["outcome"] == 2)
        until(lambda: kinds(folder(world))["refused"] == 1)
        assert value(world) == FIRST
        assert running.stop() == 0
    found = lines(folder(world))
    assert found[: len(before)] == before
    report = verify([FolderPlace(folder(world))], None)
    assert (report.faults, len(report.chains)) == ([], 1)
    (refused,) = (line for line in found if line["kind"] == "refused")
    assert refused["about"] == 'apps/"},"kind":"read","about":"apps/forged'
    mine = [
        line for line in found if line["details"].get("delivery") == refused["details"]["delivery"]
    ]
    assert [line["kind"] for line in mine] == ["refused", "key", "read", "outcome"]
    assert "is not an entry name" in mine[-1]["details"]["error"]
