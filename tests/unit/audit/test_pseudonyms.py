"""Names of entries are hidden in the record, and found again with the key alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.audit.pseudonyms import Hiding, Pseudonyms
from flux_secret.errors import KeyFileError
from flux_secret.model.record import Kind, Note

_KEY = b"k" * 32


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200))
def test_a_name_comes_back_with_its_key_and_with_no_other(name: str) -> None:
    hidden = Pseudonyms(_KEY).hide(name)
    assert Pseudonyms(_KEY).show(hidden) == name
    assert Pseudonyms(b"x" * 32).show(hidden) is None
    assert hidden == Pseudonyms(_KEY).hide(name)


@given(st.text())
def test_whatever_is_no_pseudonym_is_not_taken_for_one(text: str) -> None:
    assert Pseudonyms(_KEY).show(text) is None
    assert Pseudonyms(_KEY).shown(text) == text


def test_two_names_of_similar_length_look_alike() -> None:
    pseudonyms = Pseudonyms(_KEY)
    short, other = pseudonyms.hide("apps/a"), pseudonyms.hide("apps/another")
    assert len(short) == len(other)
    assert short[:10] != other[:10]


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 5000])
def test_a_key_that_hides_nothing_is_refused(key: bytes) -> None:
    with pytest.raises(KeyFileError, match="key for pseudonyms has"):
        Pseudonyms(key)


async def test_names_are_hidden_wherever_the_record_would_say_them() -> None:
    written: list[Note] = []

    class _Recorder:
        async def write(self, notes: Sequence[Note]) -> None:
            written.extend(notes)

    entry = "apps/application/demo/prod/db"
    await Hiding(_Recorder(), Pseudonyms(_KEY)).write([
        Note(Kind.READ, entry, {"app": "demo", "count": 1, "entries": [entry], "blob": "ab"}),
        Note(Kind.FAILED, "secret/demo", {"error": f"no key in {entry}: it is old"}),
    ])  # fmt: skip
    text = repr(written)
    assert "application" not in text
    assert "'app': 'demo'" in text
    hidden = written[0].about
    assert written[1].details["error"] == f"no key in {hidden}: it is old"
    assert Pseudonyms(_KEY).shown(str(written[1].details["error"])).count(entry) == 1
