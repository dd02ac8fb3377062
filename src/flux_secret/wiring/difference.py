"""What a prefix waits for → what would change: entries, who reads and who answers; no value."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flux_secret.access.approvals import Verdict
from flux_secret.access.diff import Change
from flux_secret.errors import ConfigurationError
from flux_secret.model.owners import FOLDER, NOBODY, Owners, Rule
from flux_secret.store.tree import StoreTree
from flux_secret.wiring.approving import Bench
from flux_secret.wiring.comparing import changed
from flux_secret.wiring.owning import Owning

_NO_PART = frozenset({FOLDER, ".public-keys"})  # at the root: owners and keys are named in full
_DATED = 50  # entries of which is said who changed them, and when: each asks git


@dataclass(frozen=True, slots=True)
class EntryChange:
    """One entry that is other than what was approved."""

    name: str
    what: str
    """`new`, `changed` or `removed`."""
    old: str | None
    """Its blob before."""
    new: str | None
    who: str = ""
    """Whose commit changed it last, and when: `Alice, 2026-11-29`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What an approval would let through."""

    entries: tuple[EntryChange, ...] = ()
    gained: tuple[Change, ...] = ()
    lost: tuple[Change, ...] = ()
    weaker: tuple[str, ...] = ()
    readers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Who reads what is new, and those entries."""
    files: tuple[str, ...] = ()
    """Other files of it that differ: who reads what comes next, say, or what templates hold."""
    old_rule: Rule | None = None
    new_rule: Rule | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether nothing differs that has a name here: keys under the same names, say."""
        named = self.entries or self.gained or self.lost or self.weaker or self.files
        return not named and self.old_rule == self.new_rule


async def difference(owning: Owning, used: Bench, one: Verdict) -> Difference:
    """Compare what was approved with what is wanted."""
    if one.wanted is None:
        return Difference()
    new, old = one.wanted.commit, one.approved.commit if one.approved else None
    after, before = _owners(used, new), _owners(used, old)
    inner = (*after.below(one.prefix), *before.below(one.prefix))

    def is_here(name: str) -> bool:
        return _covers(one.prefix, name) and not any(_covers(other, name) for other in inner)

    entries = [change for change in _entries(owning, old, new) if is_here(change.name)]
    dated = [await _dated(owning, change, new) for change in entries[:_DATED]]
    rules = before.rule(one.prefix), after.rule(one.prefix)
    found = changed(owning.clone.git_dir, old, new)
    return Difference(
        (*dated, *entries[_DATED:]), _only(found.gained, is_here), _only(found.lost, is_here),
        found.weaker, tuple(_readers(found.new, is_here)),
        tuple(_files(owning, old, one, is_here)), *rules,
    )  # fmt: skip


def _readers(
    new: Sequence[tuple[str, tuple[str, ...]]], is_here: Callable[[str], bool]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give who reads new entries: one who is named beside them can be anybody."""
    entries: dict[str, list[str]] = {}
    for name, readers in new:
        for who in readers if is_here(name) else ():
            entries.setdefault(who, []).append(name)
    yield from ((who, tuple(names)) for who, names in sorted(entries.items()))


def _files(
    owning: Owning, old: str | None, one: Verdict, is_here: Callable[[str], bool]
) -> Iterator[str]:
    """Give files that are no entries: those below, and recipients files above."""
    layout = owning.store.crypto.layout
    for path in owning.clone.changed(old, one.wanted.commit) if one.wanted else ():
        top, (folder, name) = path.partition("/")[0], posixpath.split(path)
        is_above = name == layout.recipients and _covers(folder, one.prefix)
        is_entry = path.endswith(layout.extension)
        if top not in _NO_PART and (is_above or (is_here(path) and not is_entry)):
            yield path


def _entries(owning: Owning, old: str | None, new: str) -> list[EntryChange]:
    before, after = _blobs(owning, old), _blobs(owning, new)
    changes = []
    for name in sorted(before.keys() | after.keys()):
        blobs = before.get(name), after.get(name)
        if blobs[0] != blobs[1]:
            what = "new" if blobs[0] is None else "removed" if blobs[1] is None else "changed"
            changes.append(EntryChange(name, what, *blobs))
    return changes


def _blobs(owning: Owning, commit: str | None) -> Mapping[str, str | None]:
    if commit is None:
        return {}
    tree = StoreTree(owning.clone.at(commit), owning.store.crypto.layout)
    return {name: tree.blob(name) for name in tree.names}


async def _dated(owning: Owning, change: EntryChange, commit: str) -> EntryChange:
    path = f"{change.name}{owning.store.crypto.layout.extension}"
    words = ("log", "-1", "--no-show-signature", "--format=%an, %as", commit, "--", path)
    said = await owning.clone.git.ask(owning.clone.folder.root, *words)
    return replace(change, who=said or "")


def _owners(used: Bench, commit: str | None) -> Owners:
    try:
        return used.judging.owners(commit) if commit else NOBODY
    except ConfigurationError:
        return NOBODY


def _covers(prefix: str, name: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}/")


def _only(changes: Sequence[Change], is_here: Callable[[str], bool]) -> tuple[Change, ...]:
    found = (
        replace(one, entries=tuple(name for name in one.entries if is_here(name)))
        for one in changes
    )
    return tuple(one for one in found if one.entries)
