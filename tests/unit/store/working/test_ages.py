"""Since when a value is what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git.past import Version
from flux_secret.store.working.ages import BEFORE, CLOSED, DATES, Age, History, ages
from flux_secret.store.working.dates import Dated
from flux_secret.store.working.parts import Parts

KEY = b"k" * 32
Text = str | None
"""None for what cannot be decrypted."""


@dataclass
class Store:
    """A store as its commits make it, one a day."""

    past: list[Version] = field(default_factory=list)
    parts: dict[str, Parts | None] = field(default_factory=dict)
    now: dict[str, Version] = field(default_factory=dict)
    texts: dict[str, Text] = field(default_factory=dict)
    gone: dict[str, list[str]] = field(default_factory=dict)
    day: int = 0

    def commit(self, changes: Mapping[str, Text], *, removes: Sequence[str] = ()) -> None:
        """Write entries, each encrypted anew, and take others away."""
        self.day += 1
        commit = f"c{self.day}"
        for name in removes:
            del self.now[name], self.texts[name]
        self.gone[commit] = [f"{name}.gpg" for name in removes]
        for name, text in changes.items():
            blob = f"{len(self.past)}"
            parts = None if text is None else Parts.of(Plaintext(text.encode()), KEY)
            version = Version(commit, self.day, f"{name}.gpg", blob)
            self.past.append(version)
            self.parts[blob], self.now[name], self.texts[name] = parts, version, text

    def ages(self) -> dict[str, Age]:
        """Give the age of each."""
        dated = {f"c{day}": Dated(day, is_believed=True, author="A") for day in range(1, 99)}
        history = History(self.past, self.parts, dated, lambda commit: self.gone[commit])
        return {one.entry: one for one in ages(self.now, history, ".gpg")}


def store(*commits: Mapping[str, Text]) -> Store:
    made = Store()
    for one in commits:
        made.commit(one)
    return made


def since(made: Store, entry: str = "a") -> tuple[int, int]:
    age = made.ages()[entry]
    return age.since, age.earliest


def test_a_value_is_as_old_as_its_first_appearance() -> None:
    assert since(store({"a": "1"}, {"a": "2"}, {"a": "2\nuser: x"}, {"a": "2"})) == (2, 2)
    assert since(store({"a": "1"}, {"a": "2"}, {"a": "1"})) == (1, 1)
    assert since(store({"b": "1"}, {"a": "1"})) == (1, 1)
    assert store({"b": "1"}, {"a": "1"}).ages()["a"].first == "b"


def test_what_is_closed_is_between_the_first_and_the_last_change_of_its_file() -> None:
    made = store({"a": None}, {"b": "x"}, {"a": None}, {"b": "y"})
    assert since(made) == (3, 1)
    assert made.ages()["a"].doubts == (CLOSED,)
    assert not made.ages()["a"].is_certain


def test_closed_versions_right_before_a_value_may_hold_it() -> None:
    made = store({"a": "0"}, {"a": None}, {"a": None}, {"a": "1"}, {"a": "1"})
    assert since(made) == (4, 2)
    assert made.ages()["a"].doubts == (BEFORE,)
    assert since(store({"a": None}, {"a": "0"}, {"a": "1"})) == (3, 3)


def test_a_file_that_was_moved_before_one_could_read_it_is_no_new_value() -> None:
    made = store({"old": None}, {"b": "x"})
    made.commit({"a": "1"}, removes=["old"])
    assert since(made) == (3, 1)
    made = store({"old": "0"})
    made.commit({"a": "1"}, removes=["old"])
    assert since(made) == (2, 2)


def test_a_date_that_is_not_believed_is_said_and_is_no_doubt_of_the_value() -> None:
    version = Version("c", 5, "a.gpg", "b")
    parts = {"b": Parts.of(Plaintext(b"1"), KEY)}
    history = History([version], parts, {"c": Dated(5, is_believed=False, author="A")})
    (age,) = ages({"a": version}, history, ".gpg")
    assert (age.doubts, age.is_certain) == ((DATES,), True)


_NAMES = st.sampled_from(["a", "b", "c/d"])
_TEXTS = st.sampled_from(["1", "2", "3\nuser: x", "\nkey: 1", "-----BEGIN X-----\n1\n"])


@given(st.lists(st.dictionaries(_NAMES, _TEXTS, min_size=1), min_size=1, max_size=8), st.data())
def test_encrypting_anew_changes_no_age(commits: list[dict[str, str]], data: st.DataObject) -> None:
    """Whatever was written before: the same texts once more, one of them moved and copied."""
    made = store(*commits)
    before = made.ages()
    again = dict(made.texts)
    made.commit(again)
    assert made.ages() == before
    moved = data.draw(st.sampled_from(sorted(again)))
    made.commit({"moved": again[moved], "copied": again[moved]}, removes=[moved])
    after = made.ages()
    for name in ("moved", "copied"):
        assert (after[name].since, after[name].commit) == (
            before[moved].since,
            before[moved].commit,
        )
    for name in before.keys() - {moved}:
        assert after[name] == before[name]


_STEPS = st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.booleans())


@given(st.lists(_STEPS, min_size=1, max_size=10))
def test_what_cannot_be_read_leaves_the_truth_between_the_two_dates(
    steps: list[tuple[str, bool, bool]],
) -> None:
    """Each step writes an entry, with a new value or the old one; some nobody can read."""
    whole, seen, at = Store(), Store(), {"a": 0, "b": 0}
    for name, is_new, is_closed in steps:
        at[name] += is_new
        whole.commit({name: f"{name}{at[name]}"})
        seen.commit({name: None if is_closed else f"{name}{at[name]}"})
    for name, age in seen.ages().items():
        true = whole.ages()[name]
        assert age.earliest <= true.since <= age.since
        assert age.since == true.since or not age.is_certain


@pytest.mark.parametrize("name", ["a", "x/y"])
def test_the_author_and_the_commit_are_those_of_the_first_appearance(name: str) -> None:
    age = store({name: "1"}, {name: "1"}).ages()[name]
    assert (age.commit, age.author, age.first) == ("c1", "A", name)
