"""`flux-secret doctor`: what works, what is open, what is broken; nothing is changed."""

from __future__ import annotations

from simulators.world import APPLICATION, World


def test_what_works_is_said_with_the_commits_and_nothing_is_changed(world: World) -> None:
    done = world.run("doctor", *world.flags())
    assert done.code == 0, done.out + done.err
    assert f"ok       repository {world.ops.url}: master is at {world.ops.head[:12]}" in done.out
    assert f"ok       store apps: its branch is at {world.store.head[:12]}" in done.out
    assert "ok       sandbox: generators are confined by " in done.out
    assert "ok       cluster: it serves " in done.out
    assert "warning" not in done.out
    assert world.get("secret", "demo-secret") is None
    assert world.get("namespace", f"{world.namespace}-flux", "") is None


def test_what_the_settings_leave_open_is_a_warning(world: World) -> None:
    open_path = f"--generator-network={APPLICATION}"
    done = world.run("doctor", *world.flags(open_path, path=f"{APPLICATION},platform"))
    assert done.code == 0, done.out + done.err
    assert f"warning  target {APPLICATION}: its generators may use the network" in done.out
    assert "warning  stores: each of the 2 targets may read every store (apps)" in done.out
    assert "target platform" not in done.out
    unsafe = world.run("doctor", *world.flags("--unsafe-no-sandbox", "--adopt-existing"))
    assert "warning  sandbox: generators run with the agent's rights" in unsafe.out
    assert "warning  ownership: " in unsafe.out


def test_every_thing_that_is_broken_is_named_with_its_remedy(world: World) -> None:
    nowhere = f"file://{world.root}/nowhere"
    flags = [*world.flags(), f"--store=gone={nowhere}", "--git-branch=other"]
    done = world.run("doctor", *flags)
    assert done.code == 3, done.out + done.err
    broken = [line for line in done.out.splitlines() if line.startswith("error")]
    assert len(broken) == 2
    assert any(line.startswith("error    store gone: ") for line in broken)
    assert any(line.startswith(f"error    repository {world.ops.url}: ") for line in broken)
    assert "ok       cluster" in done.out
    assert done.out.count("remedy:") == 2


def test_a_key_that_cannot_be_read_hides_nothing_else(world: World) -> None:
    flags = world.flags(f"--git-gpg-key-import={world.root}/none.asc", "--context=none")
    done = world.run("doctor", *flags)
    assert done.code == 3, done.out + done.err
    assert "error    keys: " in done.out
    assert "none.asc cannot be read" in done.out
    assert "error    cluster: " in done.out  # one does not hide the other
    assert "ok       store apps: " in done.out
