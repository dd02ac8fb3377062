"""What a change of a store does to those who read it: no way to gain is without a line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.access.diff import Comparison, Side, compare
from flux_secret.access.markdown import markdown
from flux_secret.model.access import Circle, Holder, Named, Sealed, StoreAccess
from flux_secret.model.owners import Owners, parse

A, B, C = (Holder(letter * 40, letter) for letter in "ABC")
PEOPLE = {
    "alice": {"keys": [f"openpgp:{'A' * 40}"]},
    "bob": {"keys": [f"openpgp:{'B' * 40}"]},
}


def circle(*who: Holder, file: str = ".gpg-id", doubt: str = "") -> Circle:
    return Circle(file, tuple(Named(one, one.key, doubt) for one in who))


def side(*sealed: Sealed, owners: Owners | None = None, findings: tuple[str, ...] = ()) -> Side:
    access = StoreAccess("", sealed, findings)
    return Side(access, owners) if owners else Side(access)


def gains(found: Comparison) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.who.partition(" ")[0][:1], one.what, one.entries) for one in found.gained]


def owned(**rules: object) -> Owners:
    return parse({"version": 1, "owners": PEOPLE, "paths": {**rules}})


def test_a_recipient_who_is_added_gains_every_entry_below() -> None:
    old = side(Sealed("a", "1", circle(A)), Sealed("b", "2", circle(A)))
    new = side(Sealed("a", "3", circle(A, B)), Sealed("b", "2", circle(A, B)))
    found = compare(old, new)
    assert gains(found) == [("B", "reads", ("a", "b"))]
    assert found.gained[0].because == ".gpg-id names it"
    assert not compare(new, new).somebody_gains
    back = compare(new, old)
    assert ([one.who[0] for one in back.lost], back.somebody_gains) == (["B"], False)


def test_another_recipients_file_that_counts_is_told() -> None:
    old = side(Sealed("d/a", "1", circle(A)))
    found = compare(old, side(Sealed("d/a", "1", circle(B, file="d/.gpg-id"))))
    assert [one.because for one in found.gained] == ["d/.gpg-id counts, no longer .gpg-id"]


@pytest.mark.parametrize("blob", ["1", "2"])
def test_an_entry_that_moves_to_others_is_their_gain(blob: str) -> None:
    """Encrypted anew it has another ciphertext, and is found by what has left."""
    old = side(Sealed("prod/db", "1", circle(A)), Sealed("dev/x", "3", circle(B)))
    new = side(Sealed("dev/db", blob, circle(A, B)), Sealed("dev/x", "3", circle(B)))
    found = compare(old, new)
    assert gains(found) == [("B", "reads", ("dev/db",))]
    assert ("prod/db" in found.gained[0].because, bool(found.moved)) == (True, blob == "1")


def test_a_new_name_may_be_any_that_left() -> None:
    old = side(Sealed("a", "1", circle(A)), Sealed("b", "2", circle(B)))
    found = compare(old, side(Sealed("c", "3", circle(A, B))))
    assert [one.who[0] for one in found.gained] == ["A", "B"]


def test_a_copy_is_its_readers_gain() -> None:
    old = side(Sealed("prod/db", "1", circle(A)))
    new = side(Sealed("prod/db", "1", circle(A)), Sealed("dev/db", "1", circle(B)))
    assert gains(compare(old, new)) == [("B", "reads", ("dev/db",))]


def test_a_new_entry_is_shown_and_nobodys_gain() -> None:
    old = side(Sealed("a", "1", circle(A)))
    found = compare(old, side(Sealed("a", "1", circle(A)), Sealed("b", "2", circle(B))))
    assert not found.somebody_gains
    assert found.new == (("b", (str(B),)),)


def test_a_message_that_is_for_more_than_the_file_says_is_a_gain() -> None:
    old = side(Sealed("a", "1", circle(A)))
    found = compare(old, side(Sealed("a", "2", circle(A), extra=(B,))))
    assert "no recipients file names" in found.gained[0].because
    hidden = compare(old, side(Sealed("a", "2", circle(A), hidden=1)))
    assert hidden.somebody_gains


def test_a_doubt_about_whose_key_it_is_is_told() -> None:
    old = side(Sealed("a", "1", circle(A)))
    found = compare(old, side(Sealed("a", "1", circle(A, B, doubt="a name"))))
    assert found.gained[0].because == "a name"


def test_owners_who_are_gained_and_lost_are_told() -> None:
    old = side(Sealed("a", "1", circle(A)), owners=owned(a={"owners": ["alice"]}))
    new = side(Sealed("a", "1", circle(A)), owners=owned(a={"owners": ["bob"]}))
    found = compare(old, new)
    assert [(one.who, one.what) for one in found.gained] == [
        (f"bob with 0x{'B' * 16}", "answers for")
    ]
    assert [one.who for one in found.lost] == [f"alice with 0x{'A' * 16}"]


def test_another_key_of_an_owner_is_a_gain() -> None:
    people = {**PEOPLE, "alice": {"keys": [f"openpgp:{'C' * 40}"]}}
    rule = {"a": {"owners": ["alice"]}}
    other = parse({"version": 1, "owners": people, "paths": rule})
    one = Sealed("a", "1", circle(A))
    found = compare(side(one, owners=owned(**rule)), side(one, owners=other))
    assert [one.who for one in found.gained] == [f"alice with 0x{'C' * 16}"]


@pytest.mark.parametrize(
    ("then", "now", "who"),
    [
        ({"apps": ["demo"]}, {"apps": ["demo", "other"]}, "Apps other"),
        ({"apps": ["demo"]}, {}, "all Apps"),
        ({"clusters": ["prod"]}, {"clusters": ["dev"]}, "clusters dev"),
        ({}, {"apps": ["demo"]}, ""),
        ({"apps": ["demo"]}, {"apps": []}, ""),
    ],
)
def test_apps_and_clusters_that_are_let_in_gain(
    then: dict[str, list[str]], now: dict[str, list[str]], who: str
) -> None:
    one = Sealed("a", "1", circle(A))
    old, new = (
        side(one, owners=owned(a={"owners": ["alice"], "readers": given}) if given
             else owned(a={"owners": ["alice"]}))
        for given in (then, now)
    )  # fmt: skip
    assert [one.who for one in compare(old, new).gained] == ([who] if who else [])


def test_a_rule_about_no_entry_of_before_is_compared_too() -> None:
    """Whoever takes an owner's place there answers for what will come."""
    entry = Sealed("a", "1", circle(A))
    two = {"": {"owners": ["alice"]}, "p": {"owners": ["alice", "bob"], "approvals": 2}}
    old = side(entry, owners=owned(**two))
    people = {**PEOPLE, "bob": {"keys": [f"openpgp:{'C' * 40}"]}}
    stolen = parse({"version": 1, "owners": people, "paths": two})
    found = compare(old, side(entry, owners=stolen))
    assert [(one.who, one.entries) for one in found.gained] == [(f"bob with 0x{'C' * 16}", ("p/",))]
    assert [(one.who, one.entries) for one in found.lost] == [(f"bob with 0x{'B' * 16}", ("p/",))]
    fewer = owned(**{**two, "p": {"owners": ["alice", "bob"]}})
    found = compare(old, side(entry, owners=fewer))
    assert found.weaker == ("1 instead of 2 owners have to agree to a change of p/",)
    given_up = owned(**{"": two[""]})
    found = compare(old, side(entry, owners=given_up))
    assert found.somebody_gains
    assert [one.who.partition(" ")[0] for one in found.lost] == ["bob"]
    assert not compare(old, old).needs_a_look


def test_fewer_approvals_count_as_a_gain() -> None:
    one = Sealed("a", "1", circle(A))
    two = owned(a={"owners": ["alice", "bob"], "approvals": 2})
    found = compare(side(one, owners=two), side(one, owners=owned(a={"owners": ["alice", "bob"]})))
    assert (found.gained, found.somebody_gains) == ((), True)
    assert found.weaker == ("1 instead of 2 owners have to agree to a change of a",)
    gone = compare(side(one, owners=two), side(one))
    assert gone.somebody_gains


def test_only_what_is_newly_wrong_is_to_be_looked_at() -> None:
    one = Sealed("a", "1", circle(A))
    found = compare(side(one, findings=("old",)), side(one, findings=("old", "new")))
    assert found.findings == ("new",)
    assert (found.somebody_gains, found.needs_a_look) == (False, True)
    assert "It cannot be told" in markdown(found, "x")
    assert not compare(side(one), side(one)).needs_a_look


HOLDERS = st.lists(st.sampled_from([A, B, C]), unique=True)


@given(st.dictionaries(st.sampled_from("abc"), st.tuples(HOLDERS, HOLDERS), min_size=1))
def test_who_gains_is_who_could_not_read_before(
    entries: dict[str, tuple[list[Holder], list[Holder]]],
) -> None:
    old = side(*(Sealed(name, name, circle(*then)) for name, (then, _) in entries.items()))
    new = side(*(Sealed(name, f"{name}2", circle(*now)) for name, (_, now) in entries.items()))
    found = compare(old, new)
    told = {(name, one.who) for one in found.gained for name in one.entries}
    assert told == {
        (name, str(who)) for name, (then, now) in entries.items() for who in {*now} - {*then}
    }
    assert found.somebody_gains is bool(told)


HOSTILE = [
    "a|b",
    "`x`",
    "<img src=x>",
    "a\nb",
    "[x](http://evil)",
    "**b**",
    "\u202e",
    "a\\|b",
    "~~",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_out_of_its_place_in_markdown(name: str) -> None:
    who = Holder("A" * 40, name)
    old = side(Sealed(name, "1", circle(B)), Sealed(f"{name}2", "2", circle(B)))
    new = side(Sealed(name, "1", circle(B, who)), Sealed(f"x{name}", "3", circle(who)))
    text = markdown(compare(old, new), name)
    rows = [line for line in text.split("\n") if line.startswith("| ") and "---" not in line]
    assert all(row.count("|") == 5 for row in rows)
    body = text.replace("<code>", "").replace("</code>", "").replace("**Somebody gains.**", "")
    assert not {"<", "`", "[", "*", "\\", "~", "\u202e"} & {*body}
    assert len(rows) >= 2


def test_markdown_says_first_whether_somebody_gains() -> None:
    old = side(*(Sealed(f"e{n:02}", "1", circle(A)) for n in range(30)))
    new = side(*(replace(one, circle=circle(A, B)) for one in old.access.sealed))
    text = markdown(compare(old, new), "main..topic")
    assert text.startswith("### Access to secrets: main..topic\n\n**Somebody gains.**")
    assert "| 30: <code>e00</code>, " in text
    assert "and 10 more |" in text
    assert markdown(compare(old, old), "x").endswith("Nobody gains.")
