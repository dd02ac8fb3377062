"""What replicas say to each other is read again, and whatever else stands there is nothing said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.api.interface import SyncOutcome, TargetOutcome
from flux_secret.reconcile.word import (
    EVERYTHING,
    MAX_ANSWERS,
    MAX_TEXT,
    MAX_TOKENS,
    Answer,
    Ask,
    Word,
    mark,
    understood,
)

TARGET = TargetOutcome("demo", "1234", "broken (mend it)", ("secret/demo configured",), ("look",))
OUTCOME = SyncOutcome(7, "1234", [TARGET], "broken (mend it)", "5678")
WHOLE = Word(
    {mark("https://example.org/a"): 3, EVERYTHING: 4},
    Ask(5, frozenset({"ab", "cd"})),
    {"agent-1": Answer(6, OUTCOME)},
)


def listed(word: Word | None) -> list[TargetOutcome]:
    assert word is not None
    return list(word.answers["a"].outcome.targets)


def test_what_is_said_is_understood() -> None:
    word = understood(WHOLE.text())
    assert word is not None
    assert (word.hints, word.ask) == (WHOLE.hints, WHOLE.ask)
    assert Word(answers=word.answers).text() == Word(answers=WHOLE.answers).text()
    assert understood(Word().text()) == Word()


def test_a_mark_says_nothing_of_the_address() -> None:
    assert "example" not in Word({mark("https://me:pass@example.org"): 1}).text()


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "1", "{" * 5000, '{"x": "' + "a" * MAX_TEXT + '"}']
)
def test_what_no_replica_writes_is_nothing(text: str) -> None:
    assert understood(text) is None


@pytest.mark.parametrize(
    "tokens", [["ABC"], ["a" * 65], ["a; rm"], [1], "ab", ["ab"] * (MAX_TOKENS + 1)]
)
def test_a_sync_with_strange_tokens_is_none(tokens: object) -> None:
    word = understood(json.dumps({"sync": {"number": 1, "confirm": tokens}}))
    assert word is not None
    assert word.ask is None


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)


@given(json_trees, json_trees, json_trees)
def test_whatever_stands_there_is_read(hints: object, ask: object, answer: object) -> None:
    text = json.dumps({"hints": hints, "sync": ask, "answers": {"a": answer}})
    assert isinstance(understood(text), Word)


def test_an_answer_that_is_too_long_loses_its_changes_first() -> None:
    many = [TargetOutcome(f"t{one}", "r", "", ("x" * 300,)) for one in range(200)]
    word = Word(answers={"a": Answer(1, SyncOutcome(0, "c", many))})
    assert len(word.text()) < MAX_ANSWERS + 200
    found = listed(understood(word.text()))
    assert [one.target for one in found] == [one.target for one in many]
    assert not any(one.changes for one in found)


def test_of_very_many_targets_those_that_failed_are_named_and_the_others_counted() -> None:
    many = [TargetOutcome(f"t{one}", "r" * 200, "") for one in range(2000)]
    many[1999] = TargetOutcome("last", "r", "y" * 5000)
    answer = Answer(1, SyncOutcome(4, "c", many, "z" * 100000))
    found = listed(understood(Word(answers={"a": answer}).text()))
    assert found[0].target == "last"
    assert found[0].error.startswith("yyy")
    assert found[-1].target == f"{2000 - len(found) + 1} more"


def test_the_answers_to_many_fit_all_together() -> None:
    many = [TargetOutcome(f"t{one}", "r" * 80, "", ("x" * 300,)) for one in range(100)]
    answers = {f"agent-{one}": Answer(1, SyncOutcome(0, "c", many)) for one in range(30)}
    assert len(Word(answers=answers).text()) < MAX_TEXT
