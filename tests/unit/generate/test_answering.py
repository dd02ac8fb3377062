"""Answers to a script's `gopass`: values, lists, and what is remembered of a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import (
    DecryptError,
    EntryNotFoundError,
    FluxSecretError,
    GenerateError,
    KeyNotFoundError,
)
from flux_secret.generate.answering import GopassAnswers
from flux_secret.generate.interface import Answer
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup
from simulators.store_reader import SimulatedReader

ENTRIES = {"apps/demo": b"pw\nuser: bob\n", "apps/team/one": b"1\n", "apps/team/two": b"2\n"}


async def ask(line: str, reader: SimulatedReader | None = None) -> tuple[Answer, GopassAnswers]:
    answers = GopassAnswers(reader or SimulatedReader(ENTRIES))
    return await answers.answer(line.split()), answers


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("apps/demo", b"pw\nuser: bob\n"),
        ("show -o apps/demo", b"pw"),
        ("show apps/demo user", b"bob"),
        ("sync", b""),
        ("ls --flat apps/team", b"apps/team/one\napps/team/two\n"),
        ("find TWO", b"apps/team/two\n"),
    ],
)
async def test_an_answer_is_what_gopass_prints(line: str, printed: bytes) -> None:
    answer, answers = await ask(line)
    assert (answer.code, answer.stdout.reveal(), answer.stderr) == (0, printed, "")
    assert answers.refusal is None


async def test_the_version_says_who_answers() -> None:
    answer, _ = await ask("--version")
    assert answer.stdout.reveal().startswith(b"gopass 1.16.1 (answered by flux-secret ")


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("apps/none", 11, EntryNotFoundError),
        ("apps/demo nokey", 11, KeyNotFoundError),
        ("ls apps/none", 10, EntryNotFoundError),
        ("find nothing-like-it", 10, EntryNotFoundError),
        ("otp apps/demo", 4, GenerateError),
        ("show", 2, GenerateError),
        ("/demo", 11, GenerateError),
    ],
)
async def test_a_call_that_fails_is_remembered(
    line: str, code: int, error: type[FluxSecretError]
) -> None:
    answer, answers = await ask(line)
    assert answer.code == code
    assert answer.stdout.is_empty
    assert answer.stderr.startswith("Error: ")
    assert isinstance(answers.refusal, error)
    assert answers.refusal.remedy


async def test_a_folder_prints_no_tree_where_a_value_is_wanted() -> None:
    answer, answers = await ask("apps/team")
    assert (answer.code, answer.stdout.is_empty) == (11, True)
    assert isinstance(answers.refusal, EntryNotFoundError)
    assert answers.refusal.what == "apps/team is a folder, not an entry"
    assert "apps/team/one" in answers.refusal.remedy


async def test_the_first_failure_is_the_one_that_counts() -> None:
    reader = SimulatedReader(ENTRIES, damaged=["apps/demo"])
    answers = GopassAnswers(reader)
    await answers.answer(["apps/demo"])
    await answers.answer(["apps/none"])
    await answers.answer(["apps/team/one"])
    assert isinstance(answers.refusal, DecryptError)


async def test_a_refusal_elsewhere_in_the_same_delivery_counts_too() -> None:
    reader = SimulatedReader({})
    answers = GopassAnswers(reader)
    with pytest.raises(EntryNotFoundError):
        await reader.read(Lookup(SecretPath.parse("apps/none")))
    assert answers.refusal is reader.refusal


@given(st.lists(st.text(max_size=12), max_size=5))
async def test_any_call_gets_an_answer(words: list[str]) -> None:
    answers = GopassAnswers(SimulatedReader(ENTRIES))
    answer = await answers.answer(words)
    assert (answer.code == 0) == (answers.refusal is None)
    assert bool(answer.stderr) == bool(answer.code)
