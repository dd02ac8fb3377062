"""What `owners check` finds, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flux_secret.access.ownership import Ownership, findings
from flux_secret.model.finding import Level
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import NOBODY, Owner, Owners, Rule

NOW = datetime(2026, 11, 29, tzinfo=UTC)
KEYS = {name: OwnerKey(KeyKind.OPENPGP, name[0].upper() * 40) for name in ("alice", "bob", "carol")}
ALL = frozenset(key.id for key in KEYS.values())


def owned(*rules: Rule) -> Owners:
    return Owners({name: Owner(name, (key,)) for name, key in KEYS.items()}, rules)


def facts(owners: Owners | None, *entries: str) -> Ownership:
    return Ownership(
        owners, entries, lambda _key: "", lambda _key: None,
        dict.fromkeys(entries, ALL), frozenset({KeyKind.OPENPGP}), NOW,
    )  # fmt: skip


def found(given: Ownership) -> dict[str, str]:
    return {one.kind: f"{one.about}: {one.says}" for one in findings(given)}


BOTH = Rule("", ("alice", "bob", "carol"))


def test_nothing_is_found_where_all_is_well() -> None:
    assert found(facts(owned(BOTH), "demo/db")) == {}


def test_a_store_without_owners_is_one_finding_and_no_error() -> None:
    for owners in (None, NOBODY):
        (one,) = findings(facts(owners, "demo/db"))
        assert (one.kind, one.level) == ("no-owners", Level.WARNING)


def test_entries_that_nobody_answers_for_are_counted() -> None:
    rule = replace(BOTH, prefix="demo")
    says = found(facts(owned(rule), "demo/db", "a", "b", "c", "d"))["unowned"]
    assert "nobody answers for 4 of 5 entries: a, b, c and 1 more" in says


def test_one_live_owner_is_too_few_and_none_is_an_error() -> None:
    dead = replace(
        facts(owned(BOTH), "demo/db"),
        problem=lambda key: "" if key == KEYS["alice"] else "is revoked",
    )
    assert "only alice could agree" in found(dead)["bus-factor"]
    assert found(dead)["owner-key"].endswith("the key is revoked")
    locked = replace(dead, owners=owned(replace(BOTH, approvals=2)))
    (one,) = [one for one in findings(locked) if one.kind == "locked-out"]
    assert one.level is Level.ERROR
    assert "2 have to agree to a change, and 1 could" in one.says


def test_a_rule_or_a_person_about_nothing_is_found() -> None:
    rule = Rule("dmeo", ("alice", "bob"))
    kinds = found(facts(owned(BOTH, rule), "demo/db"))
    assert kinds["rule-of-nothing"].startswith("dmeo")
    kinds = found(facts(owned(replace(BOTH, owners=("alice", "bob"))), "demo/db"))
    assert kinds["owner-of-nothing"].startswith("carol")


def test_an_owner_who_cannot_read_is_found_and_an_ssh_key_says_nothing_about_it() -> None:
    given = facts(owned(BOTH), "demo/db")
    given = replace(given, readers={"demo/db": ALL - {KEYS["bob"].id}})
    assert "bob answers for demo/db and cannot read it" in found(given)["owner-no-reader"]
    assert "owner-no-reader" not in found(replace(given, reading=frozenset({KeyKind.SSH})))


def test_a_key_that_ends_soon_is_found_before() -> None:
    given = facts(owned(BOTH), "demo/db")
    for days, is_found in ((29, True), (31, False)):
        ends = NOW + timedelta(days=days)
        kinds = found(replace(given, expires=dict.fromkeys(KEYS.values(), ends).get))
        assert ("owner-key-expires" in kinds) is is_found
