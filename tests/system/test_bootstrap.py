"""The walkthrough's preparation by real tools: keys made, stored, and let into a store."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.desk import FOLDER, KEYS, ME, Desk, Killer, a_desk
from simulators.gnupg import home


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with a_desk(tmp_path) as made:
        yield made


def test_the_four_entries_are_one_commit_and_the_operator_reads_the_application(
    desk: Desk,
) -> None:
    before = desk.admin.commits, desk.apps.commits
    done = desk.bootstrap("--store", "apps", "--email", "flux@example.org", "--yes")
    assert (desk.admin.commits, desk.apps.commits) == (before[0] + 1, before[1] + 1)
    texts = {one: desk.me.flux("store", "show", f"team/{FOLDER}/{one}").out for one in KEYS}
    assert all(desk.admin.readers(f"{FOLDER}/{one}") == {ME} for one in KEYS)
    assert texts["ssh-public-key"].strip() in done.out
    assert texts["ssh-public-key"].endswith(b"flux@main\n")
    assert b"flux-secret install --from team/technical/k8s/main/flux" in done.out
    assert desk.apps.readers("demo/db") == {ME, "flux@example.org"}
    listing = desk.me.gnupg.gpg("--list-keys", "flux@example.org").decode()
    assert "flux-operator main <flux@example.org>" in listing
    assert not desk.me.gnupg.gpg("--list-secret-keys", "flux@example.org", fail=True)
    with home() as place:
        operator = desk.operator(place)
        assert desk.reads(operator, "demo/db") == b"hunter2\n"
        kinds = operator.gpg("--list-keys", "--with-colons").decode().splitlines()
        curves = [one.split(":")[16] for one in kinds if one.startswith(("pub", "sub"))]
        assert curves == ["ed25519", "cv25519"]
    made = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", "/dev/stdin"],
        input=texts["ssh-private-key"], capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert made.split()[:2] == texts["ssh-public-key"].split()[:2]


def test_the_real_gopass_shows_the_walkthroughs_tree_and_recipients(
    desk: Desk, gopass: Path
) -> None:
    desk.bootstrap("--store", "apps", "--email", "flux@example.org", "--yes")
    me = replace(desk.me, gopass=gopass)
    me.makes_store(ME)  # gopass does nothing without a root store
    tree = me.gopasses("ls", f"team/{FOLDER}/").out.decode()
    assert [line.split(" ")[-1] for line in tree.strip().splitlines()[1:]] == list(KEYS)
    shown = me.gopasses("show", f"team/{FOLDER}/gpg-private-key").out
    assert shown.startswith(b"-----BEGIN PGP PRIVATE KEY BLOCK-----")
    listed = me.gopasses("recipients").out.decode()
    assert "flux-operator main <flux@example.org>" in listed
    me.gopasses("insert", "-f", "apps/demo/new", stdin=b"by gopass\n")
    with home() as place:
        assert desk.reads(desk.operator(place), "demo/new").strip() == b"by gopass"


def test_clusters_and_stages_have_keys_of_their_own(desk: Desk) -> None:
    desk.bootstrap("--store", "apps/prod", "--email", "p@example.org", "--yes", cluster="prod")
    desk.bootstrap("--store", "apps/demo", "--email", "t@example.org", "--yes", cluster="test")
    assert desk.apps.readers("prod/db") == {ME, "p@example.org"}
    assert desk.apps.readers("demo/db") == {ME, "t@example.org"}
    with home() as place:
        operator = desk.operator(place, "prod")
        assert desk.reads(operator, "prod/db") == b"pr0d\n"
        assert desk.reads(operator, "demo/db") == b""


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--store", "apps"), 2, "nobody can be asked here, and nothing was changed"),
        (("--store", "team", "--yes"), 2, "the operator would read team/technical/k8s/main/flux"),
        (("--store", "apps/demo/db", "--yes"), 2, "apps/demo/db is an entry"),
        (("--store", "apps", "--yes", "--expires", "soon"), 2, "'soon' is no time"),
        (("--store", "apps", "--yes", "--email", "a b@c"), 2, "is no e-mail address"),
        (("--store", "nowhere", "--yes"), 3, "nowhere lies in no store that you have"),
        (("--store", "apps", "--dry-run"), 0, ""),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    desk: Desk, words: tuple[str, ...], code: int, says: str
) -> None:
    if words[1] == "nowhere":
        config = desk.me.home / ".config/gopass/config"
        config.write_text(config.read_text().replace("[mounts]\n\tpath", "[mounts]\n\tother"))
    before = desk.admin.commits, desk.apps.commits
    done = desk.bootstrap(*words, check=False)
    assert (done.code, says in done.err) == (code, True), done.err
    assert (desk.admin.commits, desk.apps.commits) == before
    if code == 0:
        assert b"would let 'flux-operator main' read 2 entries of apps" in done.out


def test_an_unusable_recipient_stops_it_before_a_key_is_made(desk: Desk) -> None:
    (desk.apps.store / ".gpg-id").write_text(f"{ME}\n0x1111111111111111\n")
    desk.apps.git("commit", "-qam", "Somebody unknown")
    before = desk.admin.commits
    done = desk.bootstrap("--store", "apps", "--yes", check=False)
    assert done.code == 4
    assert "0x1111111111111111 is not in your keyring" in done.err
    assert desk.admin.commits == before


def test_keys_that_exist_are_neither_replaced_nor_taken_up_unasked(desk: Desk) -> None:
    desk.bootstrap("--store", "apps", "--yes")
    before = desk.admin.git("rev-parse", "HEAD"), desk.apps.git("rev-parse", "HEAD")
    again = desk.bootstrap("--store", "apps", "--yes", check=False)
    assert again.code == 3
    assert "team/technical/k8s/main/flux has keys already" in again.err
    assert "rotate-operator-key --cluster main" in again.err
    assert b"already" in desk.bootstrap("--store", "apps", "--yes", "--resume").out
    assert before == (desk.admin.git("rev-parse", "HEAD"), desk.apps.git("rev-parse", "HEAD"))


def test_halves_that_are_missing_are_made_from_those_that_are_there(desk: Desk) -> None:
    desk.bootstrap("--store", "apps", "--yes")
    kept = desk.me.flux("store", "show", f"team/{FOLDER}/ssh-public-key").out
    for name in ("ssh-public-key", "gpg-public-key"):
        desk.me.flux("store", "rm", "--force", f"team/{FOLDER}/{name}")
    desk.bootstrap("--store", "apps", "--yes", "--resume")
    assert desk.me.flux("store", "show", f"team/{FOLDER}/ssh-public-key").out == kept
    desk.me.flux("store", "rm", "--force", f"team/{FOLDER}/gpg-private-key")
    done = desk.bootstrap("--store", "apps", "--yes", "--resume", check=False)
    assert (done.code, "has a gpg-public-key, but no gpg-private-key" in done.err) == (4, True)


KILLS = (
    ("gpg", "--quick-add-key", 1), ("ssh-keygen", "ed25519", 1), ("git", "commit-tree", 1),
    ("gpg", "--import", 1), ("git", "commit-tree", 2),
)  # fmt: skip


def test_each_step_is_asked_for_and_a_no_stops_it_there(desk: Desk) -> None:
    words = ("bootstrap", "--cluster", "main", "--from", "team", "--store", "apps")
    before = desk.admin.commits, desk.apps.commits
    done = desk.types("n\n", *words)
    assert (done.code, desk.admin.commits) == (1, before[0])
    assert "make an OpenPGP key for 'flux-operator main'" in done.err
    done = desk.types("y\ny\nn\n", *words)
    assert (done.code, desk.admin.commits, desk.apps.commits) == (1, before[0] + 1, before[1])
    assert done.err.count("[y/N]") == 3
    assert b"apps: who can read 2 entries there" in done.out
    assert "go on with the same words and --resume" in done.err
    done = desk.types("y\n", *words, "--resume")
    assert (done.code, desk.admin.commits, desk.apps.commits) == (0, before[0] + 1, before[1] + 1)


def test_what_a_host_refused_is_pushed_when_it_is_taken_up(desk: Desk, tmp_path: Path) -> None:
    hosts = [(store, tmp_path / f"{store.store.name}.git") for store in (desk.admin, desk.apps)]
    for store, host in hosts:
        store.run("git", "init", "-q", "--bare", host)
        store.git("remote", "add", "origin", str(host))
        store.git("push", "-q", "-u", "origin", "HEAD")
    hook = hosts[0][1] / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho not today; exit 1\n")
    hook.chmod(0o700)
    refused = desk.bootstrap("--store", "apps", "--yes", check=False)
    assert refused.code not in {0, 70}
    assert desk.apps.readers("demo/db") == {ME}
    hook.unlink()
    desk.bootstrap("--store", "apps", "--yes", "--resume")
    for store, host in hosts:
        assert store.run("git", "-C", host, "rev-parse", "HEAD").out.decode().strip() == (
            store.git("rev-parse", "HEAD")
        )


def test_the_keys_may_lie_in_a_store_of_age_but_the_operator_reads_none(desk: Desk) -> None:
    desk.me.env["GOPASS_AGE_PASSWORD"] = "correct horse"
    desk.me.flux("store", "init", "--crypto", "age")
    words = ("bootstrap", "--cluster", "main", "--yes", "--email", "flux@example.org")
    desk.me.flux(*words, "--store", "apps")
    listed = desk.me.flux("store", "ls", "--flat").out.decode().split()
    assert [one for one in listed if one.startswith(FOLDER)] == [f"{FOLDER}/{one}" for one in KEYS]
    assert desk.apps.readers("demo/db") == {ME, "flux@example.org"}
    refused = desk.me.flux("bootstrap", "--cluster", "other", "--from", "team", "--yes",
                           "--store", "technical", check=False)  # fmt: skip
    assert (refused.code, "is no store of OpenPGP" in refused.err) == (3, True)
    rotate = ("rotate-operator-key", "--cluster", "main", "--yes")
    desk.me.flux(*rotate)
    desk.me.flux(*rotate, "--finish")
    assert desk.apps.readers("demo/db") == {ME, "flux@example.org"}
    desk.me.flux("retire-cluster", "main", "--yes")
    assert desk.apps.readers("demo/db") == {ME}


@pytest.mark.parametrize(("program", "word", "time"), KILLS)
def test_a_kill_at_any_step_leaves_no_key_in_memory_and_is_taken_up(
    desk: Desk, tmp_path: Path, program: str, word: str, time: int
) -> None:
    killer = Killer.at(tmp_path / "killer", program, word, time)
    killed = replace(desk, me=replace(desk.me, env=desk.me.env | killer.env))
    assert killed.bootstrap("--store", "apps", "--yes", check=False).code == -9
    assert killer.leaves_nothing()
    assert desk.apps.readers("demo/db") == {ME}, "nothing is committed yet"
    desk.bootstrap("--store", "apps", "--yes", "--resume")
    assert desk.admin.git("status", "--porcelain") == ""
    with home() as place:
        assert desk.reads(desk.operator(place), "demo/db") == b"hunter2\n"
