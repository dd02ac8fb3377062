"""A length and an alphabet → a new password, and how many bits of chance are in it.

Every password that fits the rules is equally likely. With `is_strict` that takes counting: for
each place it is drawn which class its character is of, weighted by how many passwords that leaves
(inclusion and exclusion). Drawing again until one fits would give the same, in unbounded time.
"""

from __future__ import annotations

import math
import secrets
import string
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.store.format import wordlist

LETTERS_AND_DIGITS: Final = string.digits + string.ascii_letters
SYMBOLS: Final = string.punctuation
DEFAULT_LENGTH: Final = 24  # characters, as gopass
DEFAULT_WORDS: Final = 4  # as gopass
MAX_LENGTH: Final = 1_024  # characters
MAX_WORDS: Final = 128
MIN_BITS: Final = 50
"""What may be had without force: 9 letters and digits, or 4 words."""

_CLASSES: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits)


@dataclass(frozen=True, slots=True)
class Generated:
    """A new password."""

    password: bytes = field(repr=False)
    bits: float
    """The logarithm of the number of passwords that were as likely."""


def characters(
    length: int = DEFAULT_LENGTH,
    alphabet: str = LETTERS_AND_DIGITS,
    *,
    is_strict: bool = False,
    is_forced: bool = False,
) -> Generated:
    """Draw characters; `is_strict`: of each class in the alphabet at least one.

    Classes are small letters, capitals, digits, and everything else.
    """
    _check_count("characters", length, MAX_LENGTH)
    classes = _classes(_checked_alphabet(alphabet))
    missing = frozenset(classes) if is_strict else frozenset()
    possible = _ways(classes, length, missing)
    if not possible:
        raise UsageError(
            f"{length} characters cannot have one of each of {len(classes)} classes",
            remedy=f"ask for {len(classes)} characters or more, or leave out --strict",
        )
    bits = math.log2(possible)
    if not is_forced:
        least = math.ceil(MIN_BITS / math.log2(len(alphabet)))
        _check_bits(bits, f"{length} characters out of {len(alphabet)}", f"{least} characters")
    drawn = []
    for left in range(length, 0, -1):
        chosen = _draw_class(classes, left, missing)
        missing -= {chosen}
        drawn.append(secrets.choice(chosen))
    return Generated("".join(drawn).encode(), bits)


def words(
    count: int = DEFAULT_WORDS, separator: str = " ", *, is_forced: bool = False
) -> Generated:
    """Draw words of the EFF's large list; without a separator each begins with a capital."""
    _check_count("words", count, MAX_WORDS)
    if not separator.isprintable():
        raise UsageError(
            "a separator cannot have a line break or a control character in it",
            remedy="use a blank, a dash, or nothing",
        )
    known = wordlist.words()
    bits = count * math.log2(len(known))
    if not is_forced:
        _check_bits(bits, f"{count} of {len(known)} words", f"{DEFAULT_WORDS} words")
    drawn = [secrets.choice(known) for _ in range(count)]
    text = separator.join(drawn) if separator else "".join(map(str.capitalize, drawn))
    return Generated(text.encode(), bits)


def _classes(alphabet: str) -> tuple[str, ...]:
    """Cut an alphabet into its classes; those that it has nothing of are left out."""
    cut = ["".join(letter for letter in alphabet if letter in kind) for kind in _CLASSES]
    rest = "".join(letter for letter in alphabet if not any(letter in kind for kind in _CLASSES))
    return tuple(kind for kind in (*cut, rest) if kind)


def _ways(classes: tuple[str, ...], length: int, missing: frozenset[str]) -> int:
    """Count the texts of that length that have something of each class in `missing`."""
    size = sum(map(len, classes))
    without = chain.from_iterable(combinations(missing, count) for count in range(len(missing) + 1))
    return sum((-1) ** len(some) * (size - sum(map(len, some))) ** length for some in without)


def _draw_class(classes: tuple[str, ...], left: int, missing: frozenset[str]) -> str:
    """Draw the class of the next of `left` characters."""
    at = secrets.randbelow(_ways(classes, left, missing))
    for chosen in classes[:-1]:
        at -= len(chosen) * _ways(classes, left - 1, missing - {chosen})
        if at < 0:
            return chosen
    return classes[-1]


def _checked_alphabet(alphabet: str) -> str:
    if len(set(alphabet)) < 2 or len(set(alphabet)) != len(alphabet):  # noqa: PLR2004 -- no choice
        raise UsageError(
            "a character set needs two different characters at least, and each only once",
            remedy="write every character once",
        )
    if not alphabet.isprintable() or any(letter.isspace() for letter in alphabet):
        raise UsageError(
            "a character set cannot have blanks, line breaks or control characters in it",
            remedy="leave them out: at the end of a line they get lost",
        )
    return alphabet


def _check_count(what: str, count: int, limit: int) -> None:
    if not 1 <= count <= limit:
        raise UsageError(
            f"a password can have 1 to {limit} {what}, not {count}", remedy="choose another number"
        )


def _check_bits(bits: float, what: str, least: str) -> None:
    if bits < MIN_BITS:
        raise UsageError(
            f"{what} make {bits:.0f} bits of chance, fewer than the {MIN_BITS} of a safe password",
            remedy=f"ask for {least} at least, or force it where more is not accepted",
        )
