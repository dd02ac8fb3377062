"""New passwords: every one that fits is equally likely, and too short ones take force."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
import string
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.store.format import passwords, wordlist
from flux_secret.store.format.passwords import (
    LETTERS_AND_DIGITS,
    MAX_LENGTH,
    MAX_WORDS,
    SYMBOLS,
    characters,
    words,
)


class Dice:
    """What `secrets` gives, but the same in every run."""

    def __init__(self) -> None:
        self._random = random.Random(0)  # noqa: S311 -- only in this test
        self.randbelow = self._random.randrange
        self.choice = self._random.choice


@pytest.fixture
def _same_dice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "secrets", Dice())


def test_the_default_is_gopass_s_24_letters_and_digits() -> None:
    made = characters()
    assert len(made.password) == 24
    assert set(made.password.decode()) <= set(LETTERS_AND_DIGITS)
    assert made.bits == pytest.approx(24 * math.log2(62))
    assert made.password != characters().password


def test_no_password_is_shown() -> None:
    made = words()
    assert made.password.decode() not in repr(made)


@given(
    length=st.integers(4, 40),
    alphabet=st.sampled_from(["ab12CD", LETTERS_AND_DIGITS + SYMBOLS, "xyz!9Q"]),
    is_strict=st.booleans(),
)
def test_a_password_has_the_length_and_the_characters_asked_for(
    length: int, alphabet: str, *, is_strict: bool
) -> None:
    text = characters(length, alphabet, is_strict=is_strict, is_forced=True).password.decode()
    assert len(text) == length
    assert set(text) <= set(alphabet)
    if is_strict:
        for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
            assert set(kind) & set(text)
        assert set(alphabet).isdisjoint(SYMBOLS) or set(SYMBOLS) & set(text)


@pytest.mark.usefixtures("_same_dice")
@pytest.mark.parametrize("is_strict", [False, True])
def test_all_passwords_are_equally_likely(*, is_strict: bool) -> None:
    alphabet, tries = "abC1", 15_000
    possible = {
        "".join(text)
        for text in itertools.product(alphabet, repeat=4)
        if not is_strict or ({"C", "1"} <= set(text) and set(text) & {"a", "b"})
    }
    drawn = Counter(
        characters(4, alphabet, is_strict=is_strict, is_forced=True).password.decode()
        for _ in range(tries)
    )
    expected = tries / len(possible)
    assert drawn.keys() == possible
    assert all(abs(count - expected) < 5 * math.sqrt(expected) for count in drawn.values())
    made = characters(4, alphabet, is_strict=is_strict, is_forced=True)
    assert 2**made.bits == pytest.approx(len(possible))


def test_a_strict_password_of_any_length_is_counted_exactly() -> None:
    assert len(characters(MAX_LENGTH, is_strict=True).password) == MAX_LENGTH
    just = characters(4, LETTERS_AND_DIGITS + SYMBOLS, is_strict=True, is_forced=True)
    assert 2**just.bits == pytest.approx(math.factorial(4) * 26 * 26 * 10 * 32)


def test_words_are_those_of_the_published_list() -> None:
    published = files(wordlist).joinpath("eff_large_wordlist.txt").read_bytes()
    assert hashlib.sha256(published).hexdigest() == (
        "addd35536511597a02fa0a9ff1e5284677b8883b83e986e43f15a3db996b903e"
    )
    assert len(set(wordlist.words())) == 7_776
    assert wordlist.words()[::7_775] == ("abacus", "zoom")


def test_a_password_of_words_has_their_number_and_their_bits() -> None:
    made = words(6, "-" * 2)
    assert set(made.password.decode().split("--")) <= set(wordlist.words())
    assert len(made.password.decode().split("--")) == 6
    assert made.bits == pytest.approx(6 * math.log2(7_776))
    assert len(words().password.split(b" ")) == 4


def test_words_without_a_separator_can_still_be_told_apart() -> None:
    text = words(5, "").password.decode()
    assert sum(letter.isupper() for letter in text) == 5


@pytest.mark.parametrize(
    ("length", "alphabet", "message"),
    [
        (8, LETTERS_AND_DIGITS, "8 characters out of 62 make 48 bits"),
        (4, string.digits, "4 characters out of 10 make 13 bits"),
    ],
)
def test_too_few_characters_take_force(length: int, alphabet: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        characters(length, alphabet)
    least = int(caught.value.remedy.split()[2])
    assert characters(least, alphabet).bits >= passwords.MIN_BITS
    with pytest.raises(UsageError):
        characters(least - 1, alphabet)
    assert len(characters(length, alphabet, is_forced=True).password) == length


def test_too_few_words_take_force() -> None:
    with pytest.raises(UsageError, match="3 of 7776 words make 39 bits"):
        words(3)
    assert words(1, is_forced=True).password.decode() in wordlist.words()


@pytest.mark.parametrize("alphabet", ["", "a", "aa", "abca", "ab c", "ab\n", "ab\x00", "ab\u2028"])
def test_a_character_set_that_would_mislead_is_refused(alphabet: str) -> None:
    with pytest.raises(UsageError, match="character set"):
        characters(200, alphabet, is_forced=True)


@pytest.mark.parametrize("length", [0, -1, MAX_LENGTH + 1])
def test_a_length_out_of_bounds_is_refused(length: int) -> None:
    with pytest.raises(UsageError, match=f"not {length}"):
        characters(length, is_forced=True)


@pytest.mark.parametrize("count", [0, -1, MAX_WORDS + 1])
def test_a_number_of_words_out_of_bounds_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"not {count}"):
        words(count, is_forced=True)


def test_strict_without_room_for_each_class_is_refused() -> None:
    with pytest.raises(UsageError, match="3 characters cannot have one of each of 4 classes"):
        characters(3, LETTERS_AND_DIGITS + SYMBOLS, is_strict=True, is_forced=True)


@pytest.mark.parametrize("separator", ["\n", "\r", "\t", "\x00"])
def test_a_separator_of_another_line_is_refused(separator: str) -> None:
    with pytest.raises(UsageError, match="separator"):
        words(4, separator)
