"""How a repository is followed: signatures, outages, the marker in the cluster (docs/sync.md)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from simulators.agents import agent, until, value
from simulators.githosts import HttpsHost, https_host
from simulators.world import APPLICATION, FIRST, SECOND, World

LOGIN = "deploy:p%40ss%2Fw%23rd"
VERIFY = "--git-verify-signatures-mode"


def signed(world: World, who: str, *, message: str = "", words: tuple[str, ...] = ()) -> str:
    """Commit to the application repository as somebody who signs."""
    key = world.gnupg.fingerprint(who)
    commit = [*words, "commit", "--quiet", "--allow-empty", f"--gpg-sign={key}"]
    how = ["--message", message] if message else ["--amend", "--no-edit"]
    subprocess.run(
        ["git", *commit, *how], cwd=world.ops.path, check=True, timeout=60, capture_output=True,
        env={
            "PATH": os.environ["PATH"], "GNUPGHOME": str(world.gnupg.path),
            "GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": who, "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_COMMITTER_NAME": who, "GIT_COMMITTER_EMAIL": who,
        },
    )  # fmt: skip
    return world.ops.head


@pytest.mark.parametrize("mode", ["all", "first-parent"])
def test_the_newest_state_before_a_bad_commit_is_delivered(world: World, mode: str) -> None:
    good = signed(world, "operator@example.org")
    bad = world.ops.commit({"demo/base/extra.yaml": "# nobody signed this\n"}, "unsigned")
    signed(world, "operator@example.org", message="signed, on top of it")
    done = world.deliver(f"{VERIFY}={mode}")
    assert done.code == 0, done.err
    assert f"delivered at {good[:12]}" in done.out
    assert f"found invalid GPG signature for commit {bad}" in done.err
    assert world.secret()[0] == FIRST


def test_merged_work_needs_no_signature_of_its_own_in_first_parent_mode(world: World) -> None:
    signed(world, "operator@example.org")
    world.ops.git("checkout", "--quiet", "-b", "side")
    world.ops.commit({"note.txt": "unsigned work"})
    world.ops.git("checkout", "--quiet", world.ops.branch)
    world.ops.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    merged = signed(world, "operator@example.org")
    assert f"delivered at {merged[:12]}" in world.deliver(f"{VERIFY}=first-parent").out
    assert f"delivered at {merged[:12]}" not in world.deliver(f"{VERIFY}=all").out


def test_without_a_good_commit_nothing_is_delivered(world: World) -> None:
    unsigned = world.ops.head
    done = world.deliver(f"{VERIFY}=all")
    assert done.code == 6
    assert f"found invalid GPG signature for commit {unsigned}" in done.err
    assert world.get("secret", "demo-secret") is None


def test_a_signature_of_somebody_else_is_not_good(world: World) -> None:
    signed(world, "person1@example.org")  # who may read secrets, and is not to be delivered from
    done = world.deliver(f"{VERIFY}=all")
    assert done.code == 6
    assert world.get("secret", "demo-secret") is None


def test_a_mode_that_nobody_knows_is_a_usage_error(world: World) -> None:
    done = world.deliver(f"{VERIFY}=some")
    assert done.code == 2
    assert "none, all, first-parent" in done.err


def https(host: HttpsHost) -> tuple[str, ...]:
    """Deliver the same repository from a host that can go away."""
    return f"--git-url={host.url('ops', LOGIN)}", f"--git-ca-file={host.ca_file}"


def test_an_outage_is_an_error_for_a_person_unless_they_say_otherwise(
    world: World, tmp_path: Path
) -> None:
    with https_host(tmp_path / "host", world.root) as host:
        flags = https(host)
        assert world.deliver(*flags).code == 0
    edit = '{"data": {"demosecret": "aGFuZA=="}}'
    world.kubectl("patch", "secret", "demo-secret", "-n", world.namespace, "-p", edit)
    done = world.deliver(*flags)
    assert done.code == 5
    assert "--allow-stale" in done.err
    assert world.secret()[0] == b"hand"
    done = world.deliver(*flags, "--allow-stale")
    assert done.code == 0, done.err
    assert f"delivered from the last good copy ({world.ops.head[:12]}, fetched " in done.err
    assert world.secret()[0] == FIRST, "drift is repaired meanwhile"


def test_an_agent_goes_on_while_the_host_is_down(world: World, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(https_host(tmp_path / "host", world.root))
        flags = (*https(host), "--sync-interval=1s", "--git-poll-interval=1s")
        with agent(world, *flags) as running:
            until(lambda: value(world) == FIRST)
            stack.close()
            until(lambda: running.has_said("delivered from the last good copy"))
            world.put("demo", SECOND)
            until(lambda: value(world) == SECOND)
            assert running.stop() == 0


def test_the_first_delivery_needs_its_repository(world: World, tmp_path: Path) -> None:
    with https_host(tmp_path / "host", world.root) as host:
        flags = https(host)
    done = world.deliver(*flags, "--allow-stale")
    assert done.code == 5
    assert world.get("secret", "demo-secret") is None


def test_a_repository_that_is_gone_is_no_outage(world: World) -> None:
    assert world.deliver().code == 0
    shutil.move(world.ops.path, world.root / "gone")
    assert world.deliver("--allow-stale").code == 3
    assert world.secret()[0] == FIRST


MARKED = "flux-git-deploy"


def marker(world: World) -> str | None:
    found = world.get("secret", MARKED, f"{world.namespace}-flux")
    assert found is not None
    annotation = found["metadata"].get("annotations", {}).get("flux.weave.works/sync-hwm")
    return None if annotation is None else str(annotation)


def test_a_read_only_agent_keeps_its_marker_at_a_secret_and_pushes_nothing(world: World) -> None:
    place = f"{world.namespace}-flux"
    world.kubectl("create", "namespace", place)
    world.kubectl("create", "secret", "generic", MARKED, "-n", place, "--from-literal=identity=x")
    with agent(world, "--git-readonly", "--git-poll-interval=1s") as running:
        until(lambda: marker(world) == world.ops.head)
        assert running.has_said("--git-readonly prevents use of --sync-state=git")
        world.ops.commit({"demo/base/note.txt": "new"})
        until(lambda: marker(world) == world.ops.head)
        assert running.stop() == 0
    assert world.ops.git("tag", "--list") == ""


def test_an_agent_marks_what_it_delivered_with_a_tag(world: World) -> None:
    with agent(world, "--git-label=cluster-one") as running:
        until(lambda: value(world) == FIRST)
        tag = "cluster-one^{commit}"
        until(lambda: "cluster-one" in world.ops.git("tag", "--list"))
        assert running.stop() == 0
    assert world.ops.git("rev-parse", tag).strip() == world.ops.head


def test_the_store_is_still_followed_after_signatures_held_the_application_back(
    world: World,
) -> None:
    signed(world, "operator@example.org")
    assert world.deliver(f"{VERIFY}=all").code == 0
    world.ops.commit({"demo/base/extra.yaml": "# nobody signed this\n"}, "unsigned")
    world.put("demo", SECOND)
    done = world.deliver(f"{VERIFY}=all", path=APPLICATION)
    assert done.code == 0
    assert world.secret()[0] == SECOND
