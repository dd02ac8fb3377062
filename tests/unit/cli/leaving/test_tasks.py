"""What is left to do when somebody leaves, as a list and as data."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flux_secret.cli.leaving.tasks import Deliveries, data, lines, tell
from flux_secret.model.access import Use
from flux_secret.model.owners import Owner, Owners, Rule
from flux_secret.outside.git.past import Version
from flux_secret.store.interface import Reader
from flux_secret.store.working.exposure import EVERYTHING, PASSWORD, Unchanged
from flux_secret.store.working.hindsight import Hindsight
from flux_secret.store.working.leaving import Leaving
from flux_secret.store.working.versions import Counted
from flux_secret.store.working.whom import Meant

DAY = 86_400
BOB = Reader("0xB", "0xB Bob <bob@example.org>", frozenset({"B2"}), fingerprint="FFB")
OWNERS = Owners(
    {"alice": Owner("alice", (), "alice@example.org"), "carl": Owner("carl", ())},
    (Rule("demo", ("alice", "carl"), contact="#team"),),
)


def leaving(**changes: Any) -> Leaving:  # noqa: ANN401 -- any field
    values = (
        Unchanged("demo/db", (EVERYTHING,), is_certain=True, commit="c2", when=20 * DAY),
        Unchanged("demo/old", (PASSWORD, "user"), is_certain=True, commit="c1", when=10 * DAY),
        Unchanged("mine", (EVERYTHING,), is_certain=False, commit="c1", when=10 * DAY),
        Unchanged("beside", ("user",), is_certain=True, commit="c1", when=10 * DAY),
    )
    readable = [Version("c2", 20 * DAY, "demo/db.gpg", "1"), Version("c1", DAY, "gone.gpg", "2"),
                Version("c0", 0, "demo/db.gpg", "3")]  # fmt: skip
    given: dict[str, Any] = {
        "store": "apps", "people": [Meant("FFB", "0xB Bob <bob@example.org>", (BOB,))],
        "named": {"": (BOB,), "demo": (BOB,)}, "sealed": ["mine"],
        "past": Hindsight(readable, ".gpg", values, {"demo/db", "demo/old", "mine"}, Counted()),
        "owners": OWNERS,
    } | changes  # fmt: skip
    return Leaving(**given)


DELIVERIES = Deliveries.of([
    Use("dev/demo", "apps/demo/db", ("dev/one", "dev/two"), "read by its last delivery"),
    Use("dev/other", "apps/demo/db", ("dev/two", "dev/three", "dev/four", "dev/five"), "the same"),
    Use("dev/script", "apps/demo/old", (), "the same", certain=False),
])  # fmt: skip
DONE: dict[str, Any] = {
    "named": {}, "sealed": [], "past": Hindsight((), ".gpg", (), (), Counted()),
}  # fmt: skip


def test_the_list_says_what_where_whose_and_where_it_is_delivered() -> None:
    cells = [re.split(r" {3,}", line) for line in lines([leaving()], DELIVERIES)]
    assert cells == [
        ["TO DO", "WHERE", "WHAT", "OWNERS", "DELIVERED TO", "LAST READABLE"],
        ["remove", "apps", "recipient 0xB", "-", "-", "-"],
        ["remove", "apps/demo", "recipient 0xB", "-", "-", "-"],
        ["encrypt", "apps/mine", "is encrypted to them all the same", "-", "-", "-"],
        ["change", "apps/demo/old", "password, user", "alice,carl", "by dev/script", "1970-01-11"],
        ["change", "apps/mine", "everything ?", "-", "-", "1970-01-11"],
        ["change", "apps/demo/db", "everything", "alice,carl",
         "dev/one, dev/two, dev/three and 2 more", "1970-01-21"],
    ]  # fmt: skip


def test_where_nobody_could_be_asked_nothing_is_claimed() -> None:
    unknown = Deliveries(unknown="no cluster was asked")
    assert "   ?  " in lines([leaving()], unknown)[-1]
    told = data([leaving()], unknown, "bob")
    assert told["deliveries_unknown"] == "no cluster was asked"
    assert all(one["delivered"] is None for one in told["stores"][0]["values"])


def test_the_data_has_everything() -> None:
    told = data([leaving()], DELIVERIES, "bob")
    (store,) = told["stores"]
    assert (told["left"], store["left"]) == (6, 6)
    assert store["recipient_of"] == [
        {"place": "apps", "ids": ["0xB"]}, {"place": "apps/demo", "ids": ["0xB"]},
    ]  # fmt: skip
    assert {one["entry"]: one["due"] for one in store["values"]} == {
        "apps/demo/db": True, "apps/demo/old": True, "apps/mine": True, "apps/beside": False,
    }  # fmt: skip
    first = store["values"][0]
    assert (first["owners"], first["contacts"]) == (
        ["alice", "carl"],
        ["#team", "alice@example.org"],
    )
    assert first["delivered"][1]["app"] == "dev/other"
    assert store["ever"] == [
        {"entry": "apps/demo/db", "versions": 2, "first": None, "last": "1970-01-21T00:00:00Z",
         "gone": False},
        {"entry": "apps/gone", "versions": 1, "first": "1970-01-02T00:00:00Z",
         "last": "1970-01-02T00:00:00Z", "gone": True},
    ]  # fmt: skip


def test_what_is_not_enough_and_what_is_unknown_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    tell([leaving()], DELIVERIES, "bob@example.org")
    said = capsys.readouterr()
    assert "bob@example.org is 0xB Bob <bob@example.org>" in said.out
    assert "apps: they could decrypt 3 versions of 2 entries, the last one written on" in said.out
    for words in ("is not enough", "6 things left", "flux-secret offboard bob@example.org --remove",
                  "1 entry that they could read is gone", "it counts as known to them",
                  "in 1 entry only other keys"):  # fmt: skip
        assert words in said.err, words


def test_nothing_left_is_said_too(capsys: pytest.CaptureFixture[str]) -> None:
    tell([leaving(**DONE)], DELIVERIES, "bob")
    said = capsys.readouterr()
    assert "they could never decrypt anything" in said.out
    assert said.err == "note: nothing is left to do\n"
    assert list(lines([leaving(**DONE)], DELIVERIES)) == []


def test_any_date_of_a_commit_can_be_written() -> None:
    for when in (-(2**62), 2**62, 0):
        value = Unchanged("a", (EVERYTHING,), is_certain=True, commit="c", when=when)
        past = Hindsight([Version("c", when, "a.gpg", "1")], ".gpg", [value], {"a"}, Counted())
        one = leaving(past=past)
        assert lines([one], DELIVERIES)
        assert data([one], DELIVERIES, "bob")["left"] == one.left
        tell([one], DELIVERIES, "bob")


def test_an_owners_file_that_cannot_be_used_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    tell([leaving(flaw="it is no mapping")], DELIVERIES, "bob")
    assert "whose values they are is not known: it is no mapping" in capsys.readouterr().err
