"""What owners answer for, as one digest: what belongs to it changes it, and nothing else does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.access.content import content_of, owners_at, sources
from flux_secret.access.listing import Listed, Listings
from flux_secret.errors import ConfigurationError
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import NOBODY, OWNERS_FILE, Owner, Owners, Rule


@dataclass(frozen=True)
class Item:
    name: str
    blob: str
    is_folder: bool = False
    is_link: bool = False

    @property
    def is_file(self) -> bool:
        return not (self.is_folder or self.is_link)


class MemoryTree:
    """A commit from a dict; ids are of what is inside, as git's are."""

    commit = "c" * 40

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self.listed = 0

    def entry(self, path: str) -> Item | None:
        name = path.rpartition("/")[2]
        if path in self._files:
            text = self._files[path]
            return Item(name, digest(text.removeprefix("->")), is_link=text.startswith("->"))
        start = f"{path}/" if path else ""
        inner = sorted((one, text) for one, text in self._files.items() if one.startswith(start))
        if not inner and path:
            return None
        return Item(name, f"{path}:{digest(str(inner))}", is_folder=True)

    def children(self, path: str) -> Iterator[Item]:
        start = f"{path}/" if path else ""
        names = {
            one.removeprefix(start).partition("/")[0]
            for one in self._files
            if one.startswith(start)
        }
        found = [one for name in names if (one := self.entry(f"{start}{name}"))]
        yield from sorted(found, key=lambda one: f"{one.name}/" if one.is_folder else one.name)

    def folder(self, tree: str) -> Iterator[Item]:
        self.listed += 1
        yield from self.children(tree.partition(":")[0])

    def size(self, blob: str) -> int:
        return len(self.read(blob))

    def read(self, blob: str) -> bytes:
        return next(text for text in self._files.values() if digest(text) == blob).encode()


def digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


FILES = {
    ".gpg-id": "alice", ".public-keys/a": "key", "README.md": "text",
    "demo.gpg": "entry beside", "demo/prod/db.gpg": "1", "demo/prod/team/x.gpg": "1",
    "demo/prod/.gpg-id": "alice bob", "demo/dev/db.gpg": "1", "other.gpg": "1",
}  # fmt: skip


def owned(*prefixes: str, key: str = "A", approvals: int = 1) -> Owners:
    people = {"alice": Owner("alice", (OwnerKey(KeyKind.OPENPGP, key * 40),))}
    return Owners(people, tuple(Rule(one, ("alice",), approvals) for one in sorted(prefixes)))


def content(files: Mapping[str, str], prefix: str, owners: Owners | None = None) -> str:
    tree = MemoryTree(files)
    by_listing = content_of(Listed(tree, Listings()), owners or owned("", "demo/prod"), prefix)
    assert by_listing == content_of(tree, owners or owned("", "demo/prod"), prefix)
    return by_listing


@pytest.mark.parametrize(
    ("path", "text", "concerns"),
    [
        ("demo/prod/db.gpg", "2", {"demo/prod"}),
        ("demo/prod/new.gpg", "1", {"demo/prod"}),
        ("demo/prod/db.gpg", "->1", {"demo/prod"}),
        ("demo/prod.gpg", "an entry", {"demo/prod"}),
        ("demo/prod.age", "an entry", {"demo/prod"}),
        ("demo/prod/.gpg-id", "mallory", {"demo/prod"}),
        ("demo/prod/team/x.gpg", "2", {"demo/prod"}),
        ("demo/dev/db.gpg", "2", {""}),
        ("demo.gpg", "2", {""}),
        ("demo/production.gpg", "2", {""}),
        ("README.md", "2", {""}),
        (".gpg-id", "mallory", {""}),
        ("demo/.gpg-id", "mallory", {""}),
        (".age-recipients", "mallory", {"", "demo/prod"}),
        (".public-keys/b", "2", set()),
        (".flux-secret/keys/b", "2", set()),
    ],
)
def test_each_file_belongs_to_the_longest_prefix_and_recipients_to_whom_they_count_for(
    path: str, text: str, concerns: set[str]
) -> None:
    changed = FILES | {path: text}
    found = {one for one in ("", "demo/prod") if content(FILES, one) != content(changed, one)}
    assert found == concerns


def test_recipients_above_count_where_none_are_inside() -> None:
    files = {path: text for path, text in FILES.items() if path != "demo/prod/.gpg-id"}
    before = content(files, "demo/prod")
    assert content(files | {".gpg-id": "mallory"}, "demo/prod") != before
    assert content(files | {"demo/.gpg-id": "mallory"}, "demo/prod") != before
    # those of the folder do not count for the entry of its name
    both = FILES | {"demo/prod.gpg": "entry"}
    assert content(both, "demo/prod") != content(both | {".gpg-id": "mallory"}, "demo/prod")


def test_a_rule_belongs_to_what_it_is_about_and_longer_ones_only_by_where_they_begin() -> None:
    before = content(FILES, "")
    assert content(FILES, "", owned("", "demo/prod", key="B")) != before
    assert content(FILES, "", owned("", "demo/prod", approvals=2)) != before
    assert content(FILES, "", owned("")) != before
    assert content(FILES, "", owned("", "demo/prod", "demo/prod/team")) == before
    bob = {"bob": Owner("bob", (OwnerKey(KeyKind.OPENPGP, "C" * 40),))}
    root = owned("").rules
    people = {**owned("").people, **bob}
    assert content(FILES, "", Owners(people, (*root, Rule("demo/prod", ("bob",))))) == before


def test_what_a_longer_rule_owns_is_left_out() -> None:
    owners = owned("demo/prod", "demo/prod/team/x")
    before = content(FILES, "demo/prod", owners)
    assert content(FILES | {"demo/prod/team/x.gpg": "2"}, "demo/prod", owners) == before
    assert content(FILES | {"demo/prod/team/y.gpg": "2"}, "demo/prod", owners) != before
    assert content(FILES | {"demo/prod/team/x.gpg": "2"}, "demo/prod/team/x", owners) != content(
        FILES, "demo/prod/team/x", owners
    )


def test_what_is_not_there_has_a_content_too() -> None:
    assert content(FILES, "nothing") != content(FILES | {"nothing.gpg": "1"}, "nothing")
    assert content({}, "") != content({"a": "1"}, "")


def test_a_file_that_became_a_link_to_the_same_words_is_another_source() -> None:
    link = FILES | {".gpg-id": "->alice"}
    plain, linked = (sources(MemoryTree(files), "demo/prod") for files in (FILES, link))
    assert plain != linked


def test_a_folder_is_listed_once_for_all_commits() -> None:
    listings, tree = Listings(), MemoryTree(FILES)
    for _ in range(3):
        assert Listed(tree, listings).entry("demo/prod/db.gpg")
    assert tree.listed == 3
    assert Listed(tree, listings).entry("demo/prod/db.gpg/more") is None


def test_no_file_is_nobody_and_what_is_no_file_is_an_error() -> None:
    assert owners_at(MemoryTree(FILES)) is NOBODY
    for files, says in (
        ({OWNERS_FILE: "->elsewhere"}, "is no plain file"),
        ({f"{OWNERS_FILE}/x": "1"}, "is no plain file"),
        ({OWNERS_FILE: "#" * 2_000_000}, "is too large"),
        ({OWNERS_FILE: "version: 3"}, "version is not 1"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            owners_at(MemoryTree(files))


names = st.sampled_from(["a", "a/b", "a/b/c", "a/d", "e", ".gpg-id", "a/.gpg-id", "a/b/.gpg-id"])


@given(
    st.dictionaries(
        names.map(lambda one: one if one.endswith("-id") else f"{one}.gpg"), st.sampled_from("12")
    ),
    names,
)
def test_what_follows_from_the_same_sources_is_the_same(files: dict[str, str], prefix: str) -> None:
    """The memory of a judgement stands on this: equal sources have equal content."""
    owners = owned("a/b")
    changed = {path: text for path, text in files.items() if not path.startswith("e")}
    one, other = MemoryTree(files), MemoryTree(changed)
    if sources(one, prefix) == sources(other, prefix):
        assert content_of(one, owners, prefix) == content_of(other, owners, prefix)
