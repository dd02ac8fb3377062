"""The calls of a script's `gopass`: what is asked, and what is answered instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.generate.gopass import Fixed, GopassCallError, parse
from flux_secret.generate.listing import Finding, Listing
from flux_secret.model.names import SecretPath
from flux_secret.model.reference import Lookup, Part

PATH = SecretPath.parse("apps/demo")


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("apps/demo", Lookup(PATH)),
        ("apps//demo", Lookup(PATH)),
        ("show apps/demo", Lookup(PATH)),
        ("show -o apps/demo", Lookup(PATH, Part.PASSWORD)),
        ("show apps/demo -o", Lookup(PATH, Part.PASSWORD)),
        ("-o apps/demo", Lookup(PATH, Part.PASSWORD)),
        ("show --password apps/demo", Lookup(PATH, Part.PASSWORD)),
        ("show -n apps/demo", Lookup(PATH, Part.RAW)),
        ("show -f apps/demo", Lookup(PATH)),
        ("show -no apps/demo", Lookup(PATH, Part.PASSWORD)),
        ("show -o -n apps/demo", Lookup(PATH, Part.PASSWORD)),
        ("show -- apps/demo -o", Lookup(PATH, Part.KEY, "-o")),
        ("--yes show apps/demo", Lookup(PATH)),
        ("show -u apps/demo user", Lookup(PATH, Part.KEY, "user")),
        ("apps/demo user", Lookup(PATH, Part.KEY, "user")),
        ("show -o apps/demo user", Lookup(PATH, Part.KEY, "user")),
        ("cat apps/demo", Lookup(PATH, Part.BINARY)),
        ("sync", Fixed.SYNC),
        ("--yes sync", Fixed.SYNC),
        ("find -f demo", Finding("demo")),
        ("search demo", Finding("demo")),
        ("ls -fs apps", Listing("apps", flat=True, strip_prefix=True)),
        ("ls //", Listing("", flat=False, strip_prefix=False)),
        ("sync --store apps", Fixed.SYNC),
        ("version", Fixed.VERSION),
        ("--version", Fixed.VERSION),
        ("ls", Listing("", flat=False, strip_prefix=False)),
        ("ls --flat --strip-prefix apps/", Listing("apps", flat=True, strip_prefix=True)),
    ],
)
def test_a_call_becomes_a_question(line: str, question: object) -> None:
    assert parse(line.split()) == question


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("insert apps/demo", 4, "not for generators"),
        ("git log", 4, "not for generators"),
        ("show -c apps/demo", 4, "-c is not for generators"),
        ("otp apps/demo", 4, "not for generators"),
        ("show", 2, "not 0 names"),
        ("", 2, "not 0 names"),
        ("show a b c", 2, "not 3 names"),
        ("cat a b", 2, "one entry"),
        ("cat -o a", 4, "-o is not for generators"),
        ("/demo", 11, "starts with a slash"),
        ("apps/../admin", 11, "not an entry name"),
        ("ls --nope", 2, "--flat"),
        ("ls a b", 2, "one folder"),
        ("find", 2, "one text"),
        ("find a b", 2, "one text"),
        ("find -r a", 2, "one text"),
    ],
)
def test_anything_else_says_what_to_use(line: str, code: int, message: str) -> None:
    with pytest.raises(GopassCallError, match=message) as caught:
        parse(line.split())
    assert caught.value.code == code


@given(st.lists(st.text(max_size=12), max_size=5))
def test_any_arguments_give_a_question_or_a_message(words: list[str]) -> None:
    try:
        parse(words)
    except GopassCallError as error:
        assert error.code
        assert str(error)


def test_a_key_without_a_name_is_not_the_whole_entry() -> None:
    with pytest.raises(GopassCallError, match="the key's name is empty"):
        parse(["show", "apps/demo", ""])


@given(st.lists(st.text(max_size=12), max_size=4))
def test_a_name_after_two_dashes_is_never_an_option(words: list[str]) -> None:
    try:
        question = parse(["show", "--", *words])
    except GopassCallError as error:
        assert error.code in {2, 11}
    else:
        assert isinstance(question, Lookup)
        assert question.part in {Part.WHOLE, Part.KEY}
