"""The record of an agent in a branch: an auditor elsewhere checks it with the public key alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from simulators.agents import agent, asked, until, value
from simulators.world import FIRST, World

BRANCH = "flux-secret/record"
METRIC = "flux_secret_record_push_failing"
QUICK = ("--sync-interval=1h", "--git-poll-interval=1s", "--record-git-interval=1s")


def git(*words: str | Path) -> str:
    done = subprocess.run(["git", *map(str, words)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def audited(clone: Path, key: Path) -> dict[str, Any]:
    """Give what an auditor, who has the branch and the public key, is told."""
    words = ("audit", "verify", "--git", str(clone), "--key", str(key), "-o", "json")
    argv = [sys.executable, "-m", "flux_secret", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    return {**told, "code": done.returncode}


def test_an_auditor_elsewhere_sees_what_happened_and_that_it_is_signed(world: World) -> None:
    host, clone, key = (world.root / name for name in ("record.git", "clone.git", "flux.pub"))
    git("init", "--bare", host)
    key.write_bytes(world.gnupg.public_key("operator@example.org"))
    with agent(world, *QUICK, f"--record-git-url=file://{host}") as running:
        until(lambda: value(world) == FIRST)
        until(lambda: 'kind":"outcome' in git("-C", host, "grep", "-h", "outcome", BRANCH))
        assert running.stop() == 0
    git("clone", "--bare", "--branch", BRANCH, "--single-branch", f"file://{host}", clone)
    told = audited(clone, key)
    assert (told["code"], told["findings"], told["notes"]) == (0, [], [])
    (chain,) = told["chains"]
    assert chain["writer"].startswith("agent-")
    assert chain["signedBy"] == [world.gnupg.fingerprint("operator@example.org")]
    assert chain["unsigned"] == 0
    log = git("-C", clone, "log", "--format=%an", BRANCH)
    assert set(log.splitlines()) == {"Weave Flux"}


def test_a_branch_that_is_taken_back_is_said_in_the_agents_log(world: World) -> None:
    host = world.root / "record.git"
    git("init", "--bare", host)
    with agent(world, *QUICK, f"--record-git-url=file://{host}") as running:
        until(lambda: bool(git("-C", host, "rev-parse", "--verify", f"refs/heads/{BRANCH}")))
        until(lambda: value(world) == FIRST)
        assert f"{METRIC} 0.0" in asked(running, "", "/metrics")[1]
        git("-C", host, "update-ref", "-d", f"refs/heads/{BRANCH}")
        until(lambda: "msg=record.taken_back" in running.log.read_text())
        assert "somebody has taken the record back" in running.log.read_text()
        assert f"{METRIC} 1.0" in asked(running, "", "/metrics")[1]
        assert git("-C", host, "rev-parse", "--verify", f"refs/heads/{BRANCH}") == ""
        running.stop()
