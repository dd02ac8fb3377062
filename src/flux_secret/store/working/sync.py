"""A store here and the same store on its host → one history on both, and nobody's edit lost.

1. Finish what an earlier command, or gopass, began here and did not end.
2. Commit what gopass wrote and could not commit: entries, recipients and exported keys only.
3. Fetch. A host whose history was rewritten is not followed.
4. Fast-forward, or merge (`merging`), then push; if somebody was faster, again from 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import ConfigurationError, IntegrityError, UnreachableError
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.remote import Pushed, Remote
from flux_secret.store.working.merging import Choose, Merged, Merging, Sides
from flux_secret.store.working.store import WorkingStore

_MARKS: Final = (b"<<<<<<< ", b"\n=======\n", b"\n>>>>>>> ")  # of git, around a conflict
_TRIES: Final = 5  # when others push at the same time


@dataclass(slots=True)
class Synced:
    """What one sync did."""

    host: str = ""
    """What git calls the host; empty when the store is shared with none."""
    received: int = 0
    """Commits that came from others."""
    sent: int = 0
    kept: list[str] = field(default_factory=list)
    """Files that were not committed and are now."""
    merged: list[Merged] = field(default_factory=list)

    @property
    def to_look_at(self) -> list[str]:
        """Entries of which both sides were kept: somebody has to decide."""
        return [name for merged in self.merged for name in merged.kept_twice]


async def sync(store: WorkingStore, choose: Choose, *, accept_rewritten: bool = False) -> Synced:
    """Bring a store and its host together; raise with everything of both sides still there.

    `accept_rewritten`: follow a host whose history no longer has what it had.
    """
    if store.clone is None:
        return Synced()
    syncing = _Syncing(store, store.clone, choose, accept_rewritten=accept_rewritten)
    async with store.folder.locked():
        await store.clone.recover()
        await syncing.end_gopass_merge()
        await syncing.keep_uncommitted()
        remote = await Remote.of(store.clone)
        if remote is not None:
            await syncing.share(remote)
    return syncing.done


@dataclass(slots=True)
class _Syncing:
    """One sync of one store."""

    store: WorkingStore
    clone: Clone
    choose: Choose
    accept_rewritten: bool
    done: Synced = field(default_factory=Synced)

    async def share(self, remote: Remote) -> None:
        """Have the same commit here and on the host."""
        self.done.host = remote.name
        for _ in range(_TRIES):
            theirs = await remote.fetch()
            ours = await self.clone.head()
            if theirs is not None:
                await self._refuse_rewritten(remote, theirs)
                self.done.received += await remote.count(ours, theirs)
                ours = await self._join(remote, ours, theirs)
            if ours is None:
                return
            sent = await remote.count(theirs, ours)
            if ours == theirs or await remote.push(ours) is Pushed.TAKEN:
                await remote.agree(ours)
                self.done.sent += sent
                return
        raise UnreachableError(
            f"others pushed to {remote.name} {_TRIES} times while {self.clone.folder.root} was "
            "merged",
            remedy="try again; what you changed is committed here",
        )

    async def end_gopass_merge(self) -> None:
        """Conclude a merge that gopass' `git pull` began and left (facts: gopass §4.3).

        What stands in the folder and is neither our commit's nor theirs was written since: it is
        committed first, as a part of our side. But for what git wrote: it takes a ciphertext that
        happens to have no NUL for text, and puts both sides and its marks into the file.
        """
        theirs = self.clone.merge_head()
        if theirs is None:
            return
        await self._take_ours_where_git_left_marks()
        await self.keep_uncommitted(besides=theirs)
        ours = await self.clone.head()
        base = ours and await self.clone.git.ask(self.clone.folder.root, "merge-base", ours, theirs)
        if not ours or not base:
            raise ConfigurationError(
                f"{self.clone.folder.root} is in the middle of a merge with an unrelated history",
                remedy=f"give it up: git -C {self.clone.folder.root} merge --abort",
            )
        await self._merge(Sides(base, ours, theirs), "what gopass had pulled", also=theirs)
        await self.clone.end_merge()

    async def _take_ours_where_git_left_marks(self) -> None:
        head = await self.clone.head()
        for path in await self.clone.uncommitted() if head else ():
            data = _file(self.store, path) if _is_ours(self.store, path) else None
            ours = self.clone.file(head, path) if head else None
            if data is not None and ours is not None and all(mark in data for mark in _MARKS):
                self.store.folder.write(path, ours)

    async def keep_uncommitted(self, *, besides: str | None = None) -> None:
        """Commit what gopass wrote and did not commit; not what stands in commit `besides`."""
        unfinished = self.clone.unfinished()
        if unfinished and besides is None:
            raise ConfigurationError(
                f"{self.clone.folder.root} is in the middle of {unfinished}",
                remedy=f"end it first: git -C {self.clone.folder.root} status",
            )
        head = await self.clone.head()
        ours = [path for path in await self.clone.uncommitted() if _is_ours(self.store, path)]
        differing = self.clone.differing(head, ours)
        if besides is not None:
            differing = [path for path in differing if self.clone.differing(besides, [path])]
        if not differing:
            return
        files = {path: _file(self.store, path) for path in differing}
        message = "Keep what was not committed\n\n" + "".join(f"{path}\n" for path in differing)
        commit = await self.clone.commit(files, message, parents=(head,) if head else ())
        await self.clone.advance(head, commit, message)
        self.done.kept += differing

    async def _refuse_rewritten(self, remote: Remote, theirs: str) -> None:
        before = await remote.seen()
        if self.accept_rewritten or before is None or await remote.leads_to(before, theirs):
            return
        raise IntegrityError(
            f"{remote.name} of {self.clone.folder.root} was rewritten: it no longer has "
            f"{before[:12]}, which it had",
            remedy="find out who did it; then follow it, keeping what you have: "
            "flux-secret store sync --accept-rewritten",
        )

    async def _join(self, remote: Remote, ours: str | None, theirs: str) -> str:
        """Have everything of both sides in our branch; give its commit."""
        if ours == theirs or (ours and await remote.leads_to(theirs, ours)):
            return ours or theirs
        if ours is None or await remote.leads_to(ours, theirs):
            await self.clone.advance(ours, theirs, f"Fast-forward to {remote.name}")
            return theirs
        base = await remote.base(ours, theirs)
        if base is None:
            raise ConfigurationError(
                f"{self.clone.folder.root} and {remote.name} have no commit in common",
                remedy="it is another store's address: git remote -v there",
            )
        return await self._merge(Sides(base, ours, theirs), remote.name)

    async def _merge(self, sides: Sides, whom: str, *, also: str | None = None) -> str:
        merged = await Merging(self.clone, self.store, sides, self.choose).merge()
        lines = [f"Merge {whom}", "", *told(merged)]
        message = "\n".join(lines).strip() + "\n"
        commit = await self.clone.commit_tree(
            merged.tree, message, parents=(sides.ours, sides.theirs)
        )
        await self.clone.advance(sides.ours, commit, message, also=also)
        self.done.merged.append(merged)
        return commit


def _is_ours(store: WorkingStore, path: str) -> bool:
    """Whether a file belongs to a store: nothing else, and no plaintext, is committed unasked."""
    layout, (*folders, name) = store.crypto.layout, path.split("/")
    is_entry = name.endswith(layout.extension) and not any(part[:1] == "." for part in folders)
    return is_entry or name == layout.recipients or folders[:1] == [".public-keys"]


def _file(store: WorkingStore, path: str) -> bytes | None:
    found = store.folder.entry(path)
    return None if found is None or found.is_folder else store.folder.read(path)


def told(merged: Merged) -> Iterator[str]:
    """Say what became of entries that both sides changed, a line each."""
    for name in merged.by_key:
        yield f"{name}: merged key by key"
    for name in merged.survived:
        yield f"{name}: kept, which one side had removed and the other changed"
    for name in merged.kept_twice:
        yield f"{name}: our side, kept beside theirs"
