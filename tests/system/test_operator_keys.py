"""A cluster's key replaced and retired: at no time is an entry readable by nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulators.desk import FOLDER, KEYS, ME, Desk, Killer, a_desk
from simulators.gnupg import home

ROTATE = ("rotate-operator-key", "--cluster", "main", "--from", "team", "--yes")
RETIRE = ("retire-cluster", "main", "--from", "team", "--yes")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with a_desk(tmp_path) as made:
        made.bootstrap("--store", "apps/demo", "--store", "apps/prod", "--yes")
        yield made


def entry(desk: Desk, name: str) -> bytes:
    return desk.me.flux("store", "show", f"team/{FOLDER}/{name}").out


def readers(desk: Desk) -> int:
    return len(desk.apps.gnupg.gpg("--list-packets", "--list-only",
               str(desk.apps.store / "demo/db.gpg")).split(b":pubkey enc packet:")) - 1  # fmt: skip


def test_both_keys_are_valid_until_the_old_one_is_taken_out(desk: Desk) -> None:
    old = entry(desk, "gpg-private-key"), entry(desk, "gpg-public-key")
    before = desk.admin.commits, desk.apps.commits
    done = desk.me.flux(*ROTATE)
    assert b"both keys are valid" in done.out
    assert b"rotate-operator-key --cluster main --from team --finish" in done.out
    assert (desk.admin.commits, desk.apps.commits) == (before[0] + 1, before[1] + 1)
    assert readers(desk) == 3
    between = entry(desk, "gpg-private-key")
    assert between.endswith(old[0])
    assert entry(desk, "previous/gpg-public-key") == old[1]
    with home() as place:
        place.gpg("--import", stdin=old[0])
        assert desk.reads(place, "demo/db") == b"hunter2\n"

    desk.me.flux(*ROTATE, "--finish")
    assert (desk.admin.commits, desk.apps.commits) == (before[0] + 2, before[1] + 2)
    assert readers(desk) == 2
    assert not (desk.admin.store / FOLDER / "previous").exists()
    assert entry(desk, "gpg-private-key") + old[0] == between
    with home() as place:
        place.gpg("--import", stdin=old[0])
        assert desk.reads(place, "demo/db") == b""
        operator = desk.operator(place)
        assert desk.reads(operator, "demo/db") == b"hunter2\n"
        assert desk.reads(operator, "prod/db") == b"pr0d\n"
    assert b"no key of main is being replaced" in desk.me.flux(*ROTATE, "--finish").out


def test_a_key_that_has_expired_is_replaced_all_the_same(tmp_path: Path) -> None:
    with a_desk(tmp_path) as desk:
        desk.bootstrap("--store", "apps", "--yes", "--expires", "1d")
        (desk.me.gnupg.path / "gpg.conf").write_text("faked-system-time 20400101T000000!\n")
        refused = desk.me.flux("store", "insert", "apps/demo/new", stdin=b"x\n", check=False)
        assert "expired on" in refused.err
        desk.me.flux(*ROTATE)
        desk.me.flux(*ROTATE, "--finish")
        assert b"expired" not in desk.me.flux("recipients", "ls", "apps").out
        with home() as place:
            assert desk.reads(desk.operator(place), "demo/db") == b"hunter2\n"


STEPS = (
    ((), ("gpg", "--quick-add-key", 1)), ((), ("git", "commit-tree", 1)),
    ((), ("gpg", "--import", 1)), ((), ("git", "commit-tree", 2)),
    (("--finish",), ("git", "commit-tree", 1)), (("--finish",), ("git", "commit-tree", 2)),
)  # fmt: skip


@pytest.mark.parametrize(("words", "step"), STEPS)
def test_a_kill_at_any_step_is_taken_up_by_the_same_words(
    desk: Desk, tmp_path: Path, words: tuple[str, ...], step: tuple[str, str, int]
) -> None:
    if words:
        desk.me.flux(*ROTATE)
    killer = Killer.at(tmp_path / "killer", *step)
    killed = replace(desk.me, env=desk.me.env | killer.env)
    assert killed.flux(*ROTATE, *words, check=False).code == -9
    with home() as place:  # what installs from here can read everything, also now
        assert desk.reads(desk.operator(place), "demo/db") == b"hunter2\n"
    desk.me.flux(*ROTATE, *words)
    if not words:
        assert readers(desk) == 3
        desk.me.flux(*ROTATE, "--finish")
    assert readers(desk) == 2
    assert set(desk.admin.store.glob(f"{FOLDER}/*")) == {
        desk.admin.store / f"{FOLDER}/{name}.gpg" for name in KEYS
    }
    with home() as place:
        assert desk.reads(desk.operator(place), "demo/db") == b"hunter2\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("rotate-operator-key", "--cluster", "other", "--from", "team", "--yes"), 3,
         "has no key that could be replaced"),
        (ROTATE[:-1], 2, "nobody can be asked here, and nothing was changed"),
        ((*ROTATE, "--finish", "--apply"), 2, "--finish is the last step"),
        ((*RETIRE[:-1],), 2, "nobody can be asked here, and nothing was changed"),
        (("retire-cluster", "other", "--from", "team", "--yes"), 3, "has no gpg-public-key"),
        (("retire-cluster", "../x", "--from", "team", "--yes"), 2, "cannot be a cluster's name"),
        ((*ROTATE, "--dry-run"), 0, ""), ((*RETIRE, "--dry-run"), 0, ""),
    ],
)  # fmt: skip
def test_refusals_change_nothing(desk: Desk, words: tuple[str, ...], code: int, says: str) -> None:
    before = desk.admin.commits, desk.apps.commits
    done = desk.me.flux(*words, check=False)
    assert (done.code, says in done.err) == (code, True), done.err
    assert (desk.admin.commits, desk.apps.commits) == before


def unchanged(desk: Desk) -> list[str]:
    """Retire the cluster; give the entries whose values it may have kept."""
    told = json.loads(desk.me.flux(*RETIRE, "--json").out)
    return [one["entry"] for one in told["unchanged"] if one["due"]]


def test_a_retired_cluster_reads_nothing_and_others_go_on(desk: Desk) -> None:
    desk.bootstrap("--store", "apps/prod", "--yes", cluster="other")
    key = entry(desk, "gpg-private-key")
    before = desk.admin.commits, desk.apps.commits
    assert unchanged(desk) == ["apps/demo/db", "apps/prod/db"]
    assert (desk.admin.commits, desk.apps.commits) == (before[0] + 1, before[1] + 1)
    assert not (desk.admin.store / FOLDER).exists()
    assert desk.apps.readers("demo/db") == {ME}
    with home() as place:
        place.gpg("--import", stdin=key)
        assert desk.reads(place, "demo/db") == desk.reads(place, "prod/db") == b""
        assert desk.reads(desk.operator(place, "other"), "prod/db") == b"pr0d\n"


def test_retiring_in_the_middle_of_a_change_takes_both_keys_out(desk: Desk) -> None:
    desk.me.flux(*ROTATE)
    done = desk.me.flux(*RETIRE, "--keep-keys")
    assert b"2 values that they could read are still the same" in done.out
    assert desk.apps.readers("demo/db") == {ME}
    assert (desk.admin.store / FOLDER).exists()


def test_after_a_kill_the_list_is_whole_and_has_no_value_that_was_changed_since(
    desk: Desk, tmp_path: Path
) -> None:
    killer = Killer.at(tmp_path / "killer", "git", "commit-tree", 2)
    killed = replace(desk.me, env=desk.me.env | killer.env)
    assert killed.flux(*RETIRE, check=False).code == -9
    assert desk.apps.readers("demo/db") == {ME}
    desk.me.flux("store", "insert", "-f", "apps/prod/db", stdin=b"new\n")
    assert unchanged(desk) == ["apps/demo/db"]
    assert not (desk.admin.store / FOLDER).exists()


def test_what_it_decrypts_is_remembered_with_what_age_and_offboard_do(desk: Desk) -> None:
    desk.me.flux("store", "insert", "-f", "apps/prod/db", stdin=b"new\n")
    desk.me.flux(*RETIRE[:-1], "--dry-run", check=False)
    (told,) = json.loads(desk.me.flux("age", "-o", "json", "apps").out)["scans"]
    assert told["remembered"] >= 3, "what it could read: two entries, of one two versions"
