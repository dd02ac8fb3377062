"""Whom a message is for, against whom it should be for."""

from __future__ import annotations

import pytest

from flux_secret.store.interface import Audience, Reader
from flux_secret.store.working.audience import describe, judge

ANN = Reader("0xA", "Ann", frozenset({"A2"}), frozenset({"A0", "A1"}))
BOB = Reader("0xB", "Bob", frozenset({"B2"}))
GONE = Reader("0xC", "0xC", problem="is not in your keyring")
EXPIRED = Reader("0xD", "Dan", older=frozenset({"D1"}), problem="expired on 2020-01-01")
AGE = Reader("age1x", "age1x")


def audience(*marks: str, hidden: int = 0) -> Audience:
    return Audience(frozenset(marks), hidden)


@pytest.mark.parametrize(
    ("is_for", "wanted", "says"),
    [
        (audience("A2", "B2"), [ANN, BOB], ""),
        (audience("A2"), [ANN, BOB], "cannot be read by Bob, who should"),
        (audience("A2", "B2"), [ANN], "can be read by 0xB2, who should not"),
        (audience("A2", "FF"), [ANN], "can be read by 0xFF, who should not"),
        (audience("A1"), [ANN], "is encrypted to an older subkey of Ann"),
        (audience("A1", "A2"), [ANN], "is encrypted to an older subkey of Ann"),
        (audience(), [ANN], "cannot be read by Ann, who should"),
        (audience("A2"), [ANN, GONE], ""),
        (audience("A2", "D1"), [ANN, EXPIRED], ""),
        (audience("A2"), [ANN, EXPIRED], ""),
        (audience(hidden=2), [ANN, BOB], ""),
        (audience("A2", hidden=1), [ANN, BOB], ""),
        (audience("A2", hidden=1), [ANN], "is for 1 hidden recipients more than it should be"),
        (audience(hidden=1), [ANN, BOB], "is for 1 hidden recipients fewer than it should be"),
        (audience("FF", hidden=1), [ANN], "can be read by 0xFF, who should not"),
        (audience(hidden=1), [AGE], ""),
        (audience(hidden=2), [AGE], "is for 1 hidden recipients more than it should be"),
        (audience(hidden=1), [AGE, AGE], "is for 1 hidden recipients fewer than it should be"),
    ],
)
def test_the_verdict_names_everybody_who_is_missing_or_too_many(
    is_for: Audience, wanted: list[Reader], says: str
) -> None:
    verdict = judge(is_for, wanted)
    assert describe(verdict) == says
    assert verdict.is_right == (not says)


def test_hidden_recipients_are_never_certain() -> None:
    assert not judge(audience(hidden=2), [ANN, BOB]).is_certain
    assert judge(audience("A2", "B2"), [ANN, BOB]).is_certain
