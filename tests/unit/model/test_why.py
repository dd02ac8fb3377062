"""Chains: their order, their first break, their exit code, and what programs read of them."""

from __future__ import annotations

from flux_secret.model.why import Chain, Link, LinkKind, Place, State, Touched, in_order

BROKEN = Link(LinkKind.ENTRY, "apps/x", State.BROKEN, exit_code=4)
LATER = Link(LinkKind.PODS, "deployment/x", State.BROKEN, exit_code=1)


def test_the_first_break_in_the_chains_order_counts() -> None:
    links = in_order([LATER, BROKEN, Link(LinkKind.COMMIT, "main"), BROKEN])
    assert [link.kind.value for link in links] == ["commit", "entry", "pods"]
    chain = Chain("apps/x", "demo", links)
    assert chain.broken == BROKEN
    assert chain.exit_code == 4
    assert Chain("apps/x", "demo", links[:1]).exit_code == 0


def test_a_break_without_a_code_is_a_finding() -> None:
    assert Chain("x", "y", (Link(LinkKind.FILE, "a", State.BROKEN),)).exit_code == 1


def test_a_place_says_who_wrote_it() -> None:
    touched = Touched("0123456789abcdef", "Ann", "2026-03-01T10:00:00Z")
    assert str(Place("r", "c", "a/b", 3, touched)) == "a/b:3 since 01234567 (Ann, 2026-03-01)"
    assert str(Place("r", "c", touched=touched)) == "01234567 (Ann, 2026-03-01)"
    assert str(Place("r", "c", "a/b")) == "a/b"


def test_programs_read_every_field() -> None:
    place = Place("r", "c", "f", 2, Touched("d"))
    link = Link(LinkKind.FILE, "f:2", State.BROKEN, place, "why", "do", ("a", "b"), 3)
    tree = Chain("s", "t", (link,), ("not this",)).to_json()
    assert tree == {
        "subject": "s", "target": "t", "whole": False, "broken": "file", "unseen": ["not this"],
        "links": [{
            "kind": "file", "name": "f:2", "state": "broken",
            "place": {"repository": "r", "commit": "c", "file": "f", "line": 2,
                      "changed": {"commit": "d", "author": "", "date": ""}},
            "reason": "why", "remedy": "do", "commands": ["a", "b"], "exitCode": 3,
        }],
    }  # fmt: skip
