"""A store → facts for a check: every file is looked at, nothing is changed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flux_secret.errors import AccessError, ConfigurationError, DecryptError
from flux_secret.outside.git.clone import JOURNAL, Clone
from flux_secret.outside.git.progress import Progress
from flux_secret.outside.gitconfig import read_config
from flux_secret.outside.workfolder import FileFact
from flux_secret.store.format.recipients import MAX_RECIPIENTS
from flux_secret.store.interface import Audience, Crypto, Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.audience import Verdict, judge
from flux_secret.store.working.exports import EXPORTS, OLDER_EXPORTS, kept
from flux_secret.store.working.facts import EntryFact, Facts, GitFact, RecipientsFact
from flux_secret.store.working.past import pasts
from flux_secret.store.working.reencrypt import Watch
from flux_secret.store.working.store import WorkingStore

_PORTION = 200  # entries that are decrypted at one time


@dataclass(frozen=True, slots=True)
class Asked:
    """What a check is to do."""

    now: int
    """Seconds since the epoch."""
    decrypts: bool = False
    """Whether every entry is decrypted."""


async def inspect(
    store: WorkingStore, tree: StoreTree, asked: Asked, watch: Watch | None = None
) -> Facts:
    """Look at everything."""
    crypto = store.crypto
    recipients = [await _recipients(tree, crypto, folder) for folder in tree.recipients_files]
    readers = {one.file: one.readers for one in recipients}
    entries = await _with_past(store, tree, list(_entries(tree, crypto, readers)))
    usable = {one.id: one for file in recipients for one in file.readers if not one.problem}
    files = list(store.folder.files())
    listed = {one.file for one in entries}
    return Facts(
        now=asked.now, root=str(store.folder.root), mount=store.name, layout=tree.layout,
        entries=entries, recipients=recipients,
        weak=await crypto.weaknesses(tuple(usable)),
        exports=await kept(tree, crypto, (one for file in recipients for one in file.readers)),
        exported=dict(_exported(tree, crypto, [one.path for one in files if not one.is_folder])),
        files=[one.path for one in files if not one.is_folder and one.path not in listed],
        open_files=_open(store, files),
        config=_config(store),
        pins_recipients=store.pin is not None,
        git=await _git(store.clone),
        undecrypted=await _undecrypted(store, tree, entries, watch) if asked.decrypts else {},
    )  # fmt: skip


async def _recipients(tree: StoreTree, crypto: Crypto, folder: str) -> RecipientsFact:
    file = posixpath.join(folder, tree.layout.recipients)
    try:
        _, found = tree.recipients_file(folder)
    except AccessError as failure:
        return RecipientsFact(folder, file, problem=failure.what)
    readers = tuple(await crypto.readers(found.ids[:MAX_RECIPIENTS]))
    return RecipientsFact(folder, file, readers, found.ids, found.text)


def _entries(
    tree: StoreTree, crypto: Crypto, readers: Mapping[str, Sequence[Reader]]
) -> Iterator[EntryFact]:
    verdicts: dict[tuple[str, Audience], Verdict] = {}
    for name in tree.names:
        path = name + tree.layout.extension
        try:
            target, blob = tree.file(name), tree.blob(name)
            message = tree.ciphertext(blob) if blob is not None else b""
        except (AccessError, ConfigurationError) as failure:
            yield EntryFact(name, path, "", "", problem=failure.what)
            continue
        if target is None:
            yield EntryFact(name, path, "", "", problem="is a link that leads nowhere")
            continue
        file, audience = tree.nearest(posixpath.dirname(target)), crypto.audience(message)
        if (file, audience) not in verdicts:
            verdicts[file, audience] = judge(audience, readers.get(file, ()))
        yield EntryFact(name, path, target, file, verdicts[file, audience], audience.form)


async def _with_past(
    store: WorkingStore, tree: StoreTree, entries: list[EntryFact]
) -> list[EntryFact]:
    """Look up whom the recipients files named when those were written that do not say it."""
    unsure = {one.target for one in entries if not one.verdict.is_certain}
    past = await pasts(store, tree, unsure)
    return [replace(one, past=past[one.target]) if one.target in past else one for one in entries]


def _exported(
    tree: StoreTree, crypto: Crypto, files: Sequence[str]
) -> Iterator[tuple[str, Sequence[str]]]:
    for path in files:
        if path.startswith((f"{EXPORTS}/", f"{OLDER_EXPORTS}/")):
            yield path, crypto.key_ids(tree.plain_file(path) or b"")


def _open(store: WorkingStore, files: Sequence[FileFact]) -> list[str]:
    """Give what others can reach: nothing below a root that they cannot enter."""
    if not store.folder.mode() & 0o077:
        return []
    return ["", *(one.path for one in files if one.is_open)]


def _config(store: WorkingStore) -> dict[str, str]:
    try:
        return dict(read_config(store.folder.root / "config"))
    except ConfigurationError:  # it may be anything; gopass cannot read it either
        return {}


async def _git(clone: Clone | None) -> GitFact | None:
    if clone is None:
        return None
    unfinished = clone.unfinished()
    return GitFact(
        unfinished=unfinished,
        uncommitted=tuple(sorted(await clone.uncommitted())),
        interrupted=(clone.git_dir / JOURNAL).exists() or Progress(clone.git_dir).is_there,
        is_linked=not (clone.folder.root / ".git").is_dir(),
    )


async def _undecrypted(
    store: WorkingStore, tree: StoreTree, entries: Sequence[EntryFact], watch: Watch | None
) -> dict[str, str]:
    names = [one.name for one in entries if not one.problem and one.target == one.file]
    reasons = {}
    for at in range(0, len(names), _PORTION):
        portion = names[at : at + _PORTION]
        for name, text in zip(portion, await store.read_all(portion, tree), strict=True):
            if isinstance(text, DecryptError):
                reasons[name] = text.what.removeprefix(f"{store.full(name)}: ")
            elif text.is_empty:
                reasons[name] = "there is nothing in it"
        if watch is not None:
            watch(at + len(portion), len(names))
    return reasons
