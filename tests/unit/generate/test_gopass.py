"""The calls of a script's `gopass`: what is asked, and what is answered instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.generate.gopass import Fixed, GopassCallError, Listing, parse
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
        ("show -u apps/demo user", Lookup(PATH, Part.KEY, "user")),
        ("apps/demo user", Lookup(PATH, Part.KEY, "user")),
        ("show -o apps/demo user", Lookup(PATH, Part.KEY, "user")),
        ("cat apps/demo", Lookup(PATH, Part.BINARY)),
        ("sync", Fixed.SYNC),
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
        ("show", 2, "usage"),
        ("", 2, "usage"),
        ("show a b c", 2, "usage"),
        ("/demo", 11, "a variable may be unset|variable may be unset"),
        ("apps/../admin", 11, "not an entry name"),
        ("ls --nope", 2, "usage"),
        ("find", 2, "usage"),
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


def test_a_tree_is_drawn_as_gopass_draws_it() -> None:
    names = ["apps/a", "apps/b/c", "apps/b/d", "apps/e"]
    listing = Listing("apps", flat=False, strip_prefix=False)
    assert listing.render(map(SecretPath.parse, names)) == (
        "apps/\n├── a\n├── b/\n│   ├── c\n│   └── d\n└── e\n"
    )
