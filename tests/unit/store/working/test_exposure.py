"""Which values somebody may still know."""

from __future__ import annotations

from collections.abc import Mapping

from flux_secret.model.plaintext import Plaintext
from flux_secret.store.working.exposure import Reading, Unchanged, unchanged
from flux_secret.store.working.parts import Parts

KEY = b"k" * 32


def parts(text: str) -> Parts:
    return Parts.of(Plaintext(text.encode()), KEY)


def reading(entry: str, text: str | None, when: int = 1) -> Reading:
    return Reading(entry, f"c{when}", when, None if text is None else parts(text))


def known(now: Mapping[str, str | None], *readings: Reading) -> list[tuple[str, tuple[str, ...]]]:
    texts = {name: None if text is None else parts(text) for name, text in now.items()}
    return [(one.entry, one.what) for one in unchanged(texts, readings)]


def test_what_was_never_readable_is_not_named() -> None:
    assert known({"a": "new\n", "b": "other\n"}, reading("a", "old\n")) == []


def test_a_value_that_is_still_the_same_is_named_under_whatever_name() -> None:
    assert known({"a": "pw\n", "moved": "pw2\n"}, reading("a", "pw\n"), reading("x", "pw2\n")) == [
        ("a", ("everything",)),
        ("moved", ("everything",)),
    ]


def test_a_password_counts_although_lines_beside_it_changed() -> None:
    assert known({"a": "pw\nnote: new\n"}, reading("a", "pw\nnote: old\n")) == [
        ("a", ("password",))
    ]
    assert known({"b": "pw\n"}, reading("a", "pw\nuser: x\n")) == [("b", ("password",))]


def test_keys_count_in_the_entry_of_that_name_only() -> None:
    assert known({"a": "new\nuser: x\n"}, reading("a", "old\nuser: x\n")) == [("a", ("user",))]
    assert known({"b": "new\nuser: x\n"}, reading("a", "old\nuser: x\n")) == []


def test_an_empty_password_is_no_password() -> None:
    assert known({"a": "\nuser: x\n"}, reading("b", "\nuser: y\n")) == []


def test_a_value_that_came_back_is_known_again() -> None:
    readings = (reading("a", "one\n", 1), reading("a", "two\n", 2))
    assert known({"a": "one\n"}, *readings) == [("a", ("everything",))]


def test_what_cannot_be_decrypted_counts_as_unchanged_and_says_so() -> None:
    assert unchanged({"a": None}, [reading("a", "x\n", 3), reading("a", None, 1)]) == [
        Unchanged("a", ("everything",), is_certain=False, commit="c3", when=3)
    ]
    assert unchanged({"a": parts("new\n")}, [reading("a", None, 1), reading("a", "x\n", 3)]) == [
        Unchanged("a", ("everything",), is_certain=False, commit="c1", when=1)
    ]
    assert unchanged({"a": None}, [reading("b", None)]) == []


def test_only_values_themselves_are_due() -> None:
    texts = {"a": parts("new\nuser: x\n"), "b": parts("pw\n")}
    found = unchanged(texts, [reading("a", "old\nuser: x\n"), reading("b", "pw\n")])
    assert [(one.entry, one.is_due) for one in found] == [("a", False), ("b", True)]


def test_digests_of_two_keys_have_nothing_in_common() -> None:
    assert Parts.of(Plaintext(b"pw\n"), KEY).whole != Parts.of(Plaintext(b"pw\n"), b"q" * 32).whole


def test_a_key_in_an_entry_without_a_password_is_a_value_unless_it_is_harmless() -> None:
    now = {"a": parts("\nuser: x\ntoken: t\nmore: new\n"), "b": parts("\nuser: x\ntoken: new\n")}
    readings = [reading("a", "\nuser: x\ntoken: t\n"), reading("b", "\nuser: x\ntoken: t\n")]
    a, b = unchanged(now, readings)
    assert (a.what, a.is_due, a.is_due_but(["Token"])) == (("token", "user"), True, False)
    assert (b.what, b.is_due) == (("user",), False)


def test_the_key_of_a_file_that_was_changed_is_not_known_by_its_first_line() -> None:
    pem = "-----BEGIN KEY-----\n{}\n-----END KEY-----\n"
    assert known({"a": pem.format("BB")}, reading("a", pem.format("AA"))) == []
    config = "apiVersion: v1\nserver: s\ntoken: {}\n"
    assert known({"a": config.format("B")}, reading("a", config.format("A"))) == []


def test_the_reading_that_is_named_is_the_newest_with_that_key() -> None:
    found = unchanged(
        {"a": parts("new\nuser: x\n")},
        [reading("a", "b\nuser: y\n", 3), reading("a", "a\nuser: x\n", 2)],
    )
    assert [(one.what, one.when) for one in found] == [(("user",), 2)]
