"""`flux-secret doctor`: what works, what is open, what is broken; nothing is changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from simulators.owned import OWNERS, OwnedStore, Signatory
from simulators.world import APPLICATION, FIRST, World

NOBODY = "nobody answers for its entries: whoever may push decides what is delivered"


def warnings(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith("warning")]


def test_it_is_said_who_answers_for_a_store_and_why_they_are_believed(world: World) -> None:
    person = Signatory("person1", gnupg=world.gnupg)
    text = OwnedStore.text([person], "  demo: {owners: [person1]}\n")
    anchor = world.store.commit({OWNERS: text})
    done = world.run("doctor", *world.flags())
    assert "warning  owners of apps: 1 rules, 1 people; the first owners file that" in done.out
    assert "--store-anchor apps=COMMIT" in done.out
    done = world.run("doctor", *world.flags(f"--store-anchor=apps={anchor}"))
    assert "ok       owners of apps: 1 rules, 1 people" in done.out
    world.store.commit({OWNERS: "version: 7"})
    done = world.run("doctor", *world.flags())
    assert done.code == 3
    assert "error    owners of apps: .flux-secret/owners.yaml at commit" in done.out


def test_the_entry_that_is_tried_is_on_the_persons_record_before(world: World) -> None:
    world.monkeypatch.setenv("FLUX_SECRET_RECORD_DIR", str(world.root / "own"))
    assert world.run("doctor", *world.flags()).code == 0
    log = world.run("audit", "log", "--entry", "apps/demo", "-o", "json")
    (line,) = json.loads(log.out)["records"]
    assert (line["kind"], line["details"]["command"]) == ("read", "doctor")
    assert line["details"]["commit"] == world.store.head
    assert len(line["details"]["blob"]) == 40
    (world.root / "file").touch()
    world.monkeypatch.setenv("FLUX_SECRET_RECORD_DIR", str(world.root / "file/own"))
    done = world.run("doctor", *world.flags())
    assert (done.code, "opens with the key" in done.out) == (5, False)


def test_what_works_is_said_with_the_commits_and_nothing_is_changed(world: World) -> None:
    done = world.run("doctor", *world.flags(f"--record-dir={world.root}/record"))
    assert done.code == 0, done.out + done.err
    assert f"ok       repository {world.ops.url}: master is at {world.ops.head[:12]}" in done.out
    assert f"ok       store apps: its branch is at {world.store.head[:12]}" in done.out
    assert re.search(
        r"^ok       store apps: apps/demo opens with the key [0-9A-F]{16}; 1 of 1 entries is "
        "encrypted to our keys$",
        done.out,
        re.MULTILINE,
    )
    assert FIRST.decode().strip() not in done.out
    assert "ok       sandbox: generators are confined by " in done.out
    assert "ok       cluster: it serves " in done.out
    assert warnings(done.out) == [f"warning  owners of apps: {NOBODY}"]
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
    assert "warning  record: an agent with these settings keeps no record" in unsafe.out


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
    assert done.out.count("remedy:") == 4  # and that there is no record, and that nobody owns it


def test_a_key_that_cannot_be_read_hides_nothing_else(world: World) -> None:
    flags = world.flags(f"--git-gpg-key-import={world.root}/none.asc", "--context=none")
    done = world.run("doctor", *flags)
    assert done.code == 3, done.out + done.err
    assert "error    keys: " in done.out
    assert "none.asc cannot be read" in done.out
    assert "error    cluster: " in done.out  # one does not hide the other
    assert "ok       store apps: " in done.out


def test_a_store_that_no_key_of_ours_opens_is_an_error_that_names_keys_and_remedy(
    world: World,
) -> None:
    theirs = world.gnupg.encrypt(FIRST, ["person1@example.org"])
    world.store.commit({"demo.gpg": theirs})
    done = world.run("doctor", *world.flags())
    assert done.code == 4, done.out
    assert "error    store apps: apps/demo at " in done.out
    assert "is not encrypted to this agent's keys" in done.out
    assert "remedy: gopass recipients add --store apps" in done.out


def test_entries_that_are_not_for_us_are_counted_and_one_that_is_is_tried(world: World) -> None:
    theirs = world.gnupg.encrypt(b"x", ["person1@example.org"])
    world.store.commit({f"a/{name}.gpg": theirs for name in "vwxyz"})
    done = world.run("doctor", *world.flags())
    assert done.code == 0, done.out
    assert "apps/demo opens with the key" in done.out
    assert (
        "1 of 6 entries is encrypted to our keys; not apps/a/v, apps/a/w, apps/a/x and 2 more"
        in (done.out)
    )


def test_a_persons_own_gnupg_home_is_tried_and_the_key_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(world.gnupg.path))
    flags = [flag for flag in world.flags() if not flag.startswith("--git-gpg-key-import")]
    done = world.run("doctor", *flags)
    assert done.code == 0, done.out
    assert f"ok       keys: those of the GnuPG home {world.gnupg.path}" in done.out
    assert re.search(r"apps/demo opens with the key [0-9A-F]{16}", done.out)


def test_a_home_without_a_private_key_is_said(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(empty))
    flags = [flag for flag in world.flags() if not flag.startswith("--git-gpg-key-import")]
    done = world.run("doctor", *flags)
    assert done.code == 4, done.out
    assert f"warning  keys: those of the GnuPG home {empty}: no private key is there" in done.out
    assert "error    store apps: apps/demo at " in done.out


def test_an_empty_store_is_a_warning(world: World) -> None:
    world.store.git("rm", "--quiet", "demo.gpg")
    world.store.commit({})
    done = world.run("doctor", *world.flags())
    assert done.code == 0, done.out
    assert "warning  store apps: it has no entry yet" in done.out


def test_the_arguments_of_a_flux_v1_deployment_can_be_pasted(world: World) -> None:
    done = world.run(
        "doctor", *world.flags(), "--memcached-service=", "--ssh-keygen-dir=/var/fluxd/keygen",
        "--git-branch=master", "--listen-metrics=:3031", "--sync-interval=5m", "-l", ":3030",
        "--git-user=Weave Flux", "--log-format=json", "--registry-disable-scanning", "--token=x1y2",
    )  # fmt: skip
    assert done.code == 0, done.out + done.err
    assert "warning  flags: --memcached-service has no effect: image automation" in done.out
    assert "warning  flags: --token has no effect: there is no upstream service" in done.out
    assert "x1y2" not in done.out


def test_a_record_that_could_not_be_kept_is_an_error(world: World) -> None:
    (world.root / "file").touch()
    done = world.run("doctor", *world.flags(f"--record-dir={world.root}/file/record"))
    assert done.code == 5, done.out
    assert f"error    record: nothing can be recorded in {world.root}/file/record" in done.out
    kept = world.run("doctor", *world.flags(f"--record-dir={world.root}/record"))
    assert f"ok       record: it is kept in {world.root}/record" in kept.out
    assert not (world.root / "record").exists()


def test_an_api_that_is_open_to_whoever_has_the_token_is_said(world: World) -> None:
    open_api = ("--listen=:3030", f"--listen-token-file={world.root / 'token'}")
    done = world.run("doctor", *world.flags(*open_api))
    assert "warning  listen: whoever has the token may ask for a sync" in done.out
    closed = world.flags("--listen=:3030", f"--record-dir={world.root}/record")
    said = warnings(world.run("doctor", *closed).out)
    assert said == [f"warning  owners of apps: {NOBODY}"]


def test_what_only_the_agent_refuses_is_said(world: World) -> None:
    signed = "--git-verify-signatures-mode=all"
    done = world.run("doctor", *world.flags(signed))
    assert "warning  agent: it would not start with these flags: the sync tag" in done.out
    assert world.run("doctor", *world.flags("--sync-interval=often")).code == 2


def test_a_webhooks_file_of_secrets_is_looked_at(world: World) -> None:
    file = world.root / "webhook-secret"
    file.write_text("a secret that is long enough\nanother one that is long enough\n")
    flags = world.flags("--listen-webhook=:9292", f"--webhook-secret-file={file}")
    done = world.run("doctor", *flags)
    assert done.code == 0, done.out + done.err
    assert "ok       webhook: secrets that are valid: 2" in done.out
    file.write_text("short\n")
    done = world.run("doctor", *flags)
    assert done.code == 3
    assert "error    webhook: webhook secret 1 in " in done.out
