"""A commit and a prefix → the digest of what its owners answer for.

It covers

1. the folder and the entry of that name, by their git ids, without what a longer rule owns;
2. the recipients file that counts there, also when it lies above the prefix;
3. the rule that counts there, with its owners' keys, and where the longer rules below begin;
4. whether the store's files are of OpenPGP or of age, which the root says.

So ciphertext that moved, an added recipient and a changed rule are all changes. The keys in
`.public-keys` are no part of it: what they may do is said by recipients and rules, in full.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from flux_secret.access.interface import Entry, Files, Tree
from flux_secret.errors import ConfigurationError
from flux_secret.model.owners import (
    FOLDER,
    MAX_FILE,
    NOBODY,
    OWNERS_FILE,
    Owners,
    Rule,
    parse_owners,
)

_EXTENSIONS: Final = (".gpg", ".age")
_RECIPIENTS: Final = (".gpg-id", ".age-recipients")
_NO_PART: Final = frozenset({FOLDER, ".public-keys"})  # at the root


def owners_at(tree: Files) -> Owners:
    """Read the owners file of a commit; nobody where there is none.

    Raises `ConfigurationError` where it is no file, or wrong.
    """
    entry = tree.entry(OWNERS_FILE)
    if entry is None:
        return NOBODY
    where = f"{OWNERS_FILE} at commit {tree.commit[:12]}" if tree.commit else OWNERS_FILE
    if not entry.is_file or tree.size(entry.blob) > MAX_FILE:
        what = "too large" if entry.is_file else "no plain file"
        raise ConfigurationError(f"{where} is {what}", remedy="put it back: git log -- FILE")
    return parse_owners(tree.read(entry.blob), where)


def content_of(tree: Tree, owners: Owners, prefix: str) -> str:
    """Give the digest, sha256 in hex; `owners` is the file of that same commit."""
    inner = owners.below(prefix)
    tokens: list[object] = ["content v1", prefix]
    tokens.append(_files(tree, prefix, inner))
    tokens.append(_recipients(tree, prefix))
    tokens.append(_extension(tree))
    tokens.append(_rule(owners, owners.rule(prefix)))
    tokens.append(inner)
    text = json.dumps(tokens, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sources(tree: Tree, prefix: str) -> tuple[str, ...]:
    """Give what stands at the root, by kind and id: all that the digest follows from."""
    top = prefix.partition("/")[0]
    paths = (*files_of(top), *_RECIPIENTS, OWNERS_FILE) if top else ("",)
    return tuple(" ".join(_id(tree.entry(path))) for path in paths)


def files_of(prefix: str) -> tuple[str, ...]:
    """Give what a prefix may be called in the tree: a folder, and an entry of each kind."""
    return (prefix, *(f"{prefix}{extension}" for extension in _EXTENSIONS)) if prefix else ("",)


def _files(tree: Tree, prefix: str, inner: Iterable[str]) -> list[object]:
    left_out = frozenset(path for one in inner for path in files_of(one))
    opened = {folder for one in inner for folder in _above(one)}
    return [
        token
        for path in files_of(prefix)
        if path == prefix or not _is_folder(tree.entry(path))
        for token in _listed(tree, path, left_out, opened)
    ]


def _is_folder(entry: Entry | None) -> bool:
    """Whether it is one: a folder called `demo.gpg` is no part of `demo`, nor its entry."""
    return entry is not None and entry.is_folder


def _listed(
    tree: Tree, path: str, left_out: frozenset[str], opened: set[str]
) -> Iterator[list[str]]:
    """Give a file or folder by its id; a folder that holds what others own is opened."""
    entry = tree.entry(path)
    if entry is None and path:
        return
    if path and (entry is None or not entry.is_folder or path not in opened):
        yield [path, *_id(entry)]
        return
    yield [path, "opened"]
    for child in tree.children(path):
        below = posixpath.join(path, child.name)
        is_entry = below.endswith(_EXTENSIONS)  # no rule's prefix ends so
        if below in left_out and not (is_entry and child.is_folder):
            continue
        if not path and child.name in _NO_PART:
            continue
        if child.is_folder and below in opened:
            yield from _listed(tree, below, left_out, opened)
        else:
            yield [below, *_id(child)]


def _id(entry: Entry | None) -> Iterator[str]:
    if entry is not None:
        yield "folder" if entry.is_folder else "link" if entry.is_link else "file"
        yield entry.blob


def _above(path: str) -> Iterator[str]:
    """Give the folders above a path, the root left out."""
    while path := posixpath.dirname(path):
        yield path


def _recipients(tree: Tree, prefix: str) -> list[list[str]]:
    """Give the recipients files above a prefix that count in it; those inside are its content."""
    if not prefix:
        return []
    found = []
    for name in _RECIPIENTS:
        is_entry = any(tree.entry(path) for path in files_of(prefix)[1:])
        if tree.entry(posixpath.join(prefix, name)) is not None and not is_entry:
            continue
        folder: str | None = posixpath.dirname(prefix)
        while folder is not None:
            path = posixpath.join(folder, name)
            entry = tree.entry(path)
            if entry is not None:
                found.append([path, *_id(entry)])
                break
            folder = posixpath.dirname(folder) if folder else None
    return found


def _extension(tree: Tree) -> str:
    """Say which of an entry's two possible files is read, as gopass does: OpenPGP's before age's.

    With the recipients file at the root the one would become the other, though neither changed.
    """
    is_age = tree.entry(_RECIPIENTS[1]) is not None and tree.entry(_RECIPIENTS[0]) is None
    return _EXTENSIONS[1] if is_age else _EXTENSIONS[0]


def _rule(owners: Owners, rule: Rule | None) -> object:
    if rule is None:
        return None
    people = [[one.name, [str(key) for key in one.keys]] for one in owners.of(rule)]
    return [
        rule.prefix, rule.approvals, rule.rotate_every, rule.apps, rule.clusters, rule.contact,
        people,
    ]  # fmt: skip
