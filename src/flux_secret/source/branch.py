"""A branch of an application repository: what to deliver of it now, and how far it was delivered.

Rules (facts: flux-v1 §2.7, §2.8; docs/sync.md):

1. The marker only says what is new. Lost, foreign or naming an unknown commit, it stops no
   delivery: that is an initial sync, said once, and the marker is moved on.
2. What this process delivered counts more than what the marker says meanwhile: a marker that
   somebody else moved is warned about once, repaired, and no commit is reported twice.
3. With verification on, the marker is trusted only if it is signed, and so is its commit.
4. The marker moves when everything was delivered; when it cannot, that is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from flux_secret.errors import FluxSecretError, IntegrityError
from flux_secret.model.sync import CommitLine, Sync, Verification
from flux_secret.model.target import Source, Target
from flux_secret.source.interface import Fetched, History, Marker, Mirror
from flux_secret.source.signature import newest_good

MAX_COMMITS: Final = 100  # that one sync lists; a first sync would list all there ever were
FOREIGN: Final = (  # Flux v1's own words
    "detected external change in sync state; the sync state should not be shared by fluxd instances"
)
_log = structlog.get_logger(component="daemon")


@dataclass(frozen=True, slots=True)
class Pin:
    """What one round delivers of a branch."""

    source: Source
    commit: str
    head: str
    base: str | None = None
    """Up to where everything had been delivered."""
    commits: tuple[CommitLine, ...] = ()
    more: bool = False
    notes: tuple[str, ...] = ()
    """For every target."""
    marker_notes: tuple[str, ...] = ()
    error: FluxSecretError | None = None
    """Why the marker cannot be read."""
    is_outage: bool = False


@dataclass(slots=True)
class _Known:
    """What this process knows of the marker."""

    was_read: bool = False
    seen: str | None = None
    """What it named when it was read or moved last."""
    base: str | None = None
    is_foreign: bool = False
    """Whether people were told that somebody else moves it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Follows one branch for as long as the process lives."""

    source: Source
    mirror: Mirror
    history: History
    verification: Verification = Verification.NONE
    marker: Marker | None = None
    moves: bool = True
    """Whether the marker is ours to move: not for a command that delivers once."""
    paths: tuple[str, ...] = ()
    """Which commits are reported: those that touch one of these; empty for all."""
    _known: _Known = field(default_factory=_Known)

    async def pin(self) -> Pin:
        """Fetch, and decide what to deliver.

        Raises what the mirror raises, and `IntegrityError` when nothing is signed as it must be.
        """
        fetched = await self.mirror.fetch(self.source.branch)
        head, notes = fetched.commit, list(await self._notes(fetched))
        said, error = await self._read_marker()
        known = self._known
        commit = head
        if self.verification is not Verification.NONE:
            commit, bad = await self._verified(head)
            notes += bad
        commits = await self._commits(known.base, commit)
        _log.info(
            "trying to sync git changes to the cluster", headline="info",
            old=known.base or "", new=commit,
            url=str(self.source.url), branch=self.source.branch,
        )  # fmt: skip
        return Pin(
            source=self.source,
            commit=commit,
            head=head,
            base=known.base,
            commits=commits[:MAX_COMMITS],
            more=len(commits) > MAX_COMMITS,
            notes=tuple(notes),
            marker_notes=said,
            error=error,
            is_outage=bool(fetched.outage),
        )

    async def finish(self, pin: Pin, *, delivered: bool) -> Sync:
        """Move the marker if everything was delivered; say how it stands."""
        error = pin.error
        if delivered:
            if self.marker is not None and self.moves and error is None and not pin.is_outage:
                error = await self._move(pin.commit)
            self._known.base = pin.commit
        return Sync(
            source=self.source,
            commit=pin.commit,
            head=pin.head,
            since=pin.base,
            commits=pin.commits,
            more=pin.more,
            marker=self._known.seen,
            notes=pin.marker_notes,
            error=error,
        )

    async def _notes(self, fetched: Fetched) -> Sequence[str]:
        if fetched.outage:
            return [f"delivered {fetched.outage}"]
        old, new = fetched.before, fetched.commit
        if old in {None, new} or await self.history.leads_to(old or "", new):
            return []
        words = f"branch {self.source.branch} was rewritten: {(old or '')[:12]} is no longer in it"
        return [f"{words}; its newest commit {new[:12]} counts"]

    async def _read_marker(self) -> tuple[tuple[str, ...], FluxSecretError | None]:
        """Learn where the marker stands; give what people should know."""
        known = self._known
        if self.marker is None:
            return (), None
        try:
            read = await self.marker.read()
            named = read if read is not None and await self.history.has(read) else None
        except FluxSecretError as failure:
            return (), _about(self.marker, "read", failure)
        if not known.was_read:
            if self.verification is not Verification.NONE and named is not None:
                await self._check(self.marker, named)
            known.was_read, known.seen, known.base = True, read, known.base or named
            return (() if read == named else (_unknown(read, self.marker),)), None
        moved = read != known.seen
        known.seen = read
        if not moved or known.is_foreign:
            return (), None
        known.is_foreign = True
        return (f"{FOREIGN} ({self.marker} now names {_short(read)}; it is set again)",), None

    async def _check(self, marker: Marker, commit: str) -> None:
        await marker.check()
        signed = await self.history.signature(commit)
        if not signed.is_good:
            raise IntegrityError(
                f"{marker} names {commit[:12]}, which counts as unsigned: {signed.flaw}",
                remedy="if only its signer's key has expired, prolong it and import it anew; else "
                "let the marker name another commit, or remove it, and every commit is checked "
                "from the first one on",
            )

    async def _verified(self, head: str) -> tuple[str, list[str]]:
        """Give the newest commit that may be delivered, and what people should know."""
        base = self._known.base
        only_first = self.verification is Verification.FIRST_PARENT
        signed = await self.history.signatures(base, head, first_parent=only_first)
        floor = base if base and await self.history.leads_to(base, head) else None
        choice = newest_good(signed, head, floor)
        if choice.bad is None:
            return head, []
        # Flux v1's own words, and the reason
        words = f"found invalid GPG signature for commit {choice.bad} ({choice.flaw})"
        if choice.commit is None:
            raise IntegrityError(
                f"{words}; {self.source.url} has no commit before it that could be delivered",
                remedy="sign it with a key of --git-gpg-key-import; or let the sync marker name a "
                "signed commit that you trust: older ones are not looked at then",
            )
        return choice.commit, [
            f"{words}; delivered {choice.commit[:12]}, which comes before it, and not {head[:12]}"
        ]

    async def _commits(self, since: str | None, commit: str) -> tuple[CommitLine, ...]:
        """List what is new; it is for people, so failing to does not stop a delivery."""
        if self.marker is None or since == commit:
            return ()
        try:
            found = await self.history.commits(
                since, commit, paths=self.paths, limit=MAX_COMMITS + 1
            )
        except FluxSecretError as failure:
            _log.warning("commits.unknown", err=failure.what)
            return ()
        return tuple(found)

    async def _move(self, commit: str) -> FluxSecretError | None:
        if self.marker is None or self._known.seen == commit:
            return None
        try:
            await self.marker.move(commit)
        except FluxSecretError as failure:
            return _about(self.marker, "moved", failure)
        _log.info(
            str(self.marker), headline="state", component="sync-loop",
            old=self._known.seen or "", new=commit,
        )  # fmt: skip
        self._known.seen = commit
        return None


def watched(targets: Iterable[Target]) -> tuple[str, ...]:
    """Give the paths whose commits count for the targets of one branch; empty for all.

    A generator may read the whole repository, so with one all commits count (facts: §2.4).
    """
    paths: list[str] = []
    for target in targets:
        if target.generation.enabled or not target.path:
            return ()
        paths.append(target.path)
    return tuple(paths)


def _about(marker: Marker, verb: str, failure: FluxSecretError) -> FluxSecretError:
    return type(failure)(
        f"{marker} could not be {verb}: {failure.what}",
        remedy=f"{failure.remedy}; without rights to push: --git-readonly or --sync-state=secret",
    )


def _unknown(read: str | None, marker: Marker) -> str:
    return f"{marker} names {_short(read)}, which is no commit of the repository: initial sync"


def _short(revision: str | None) -> str:
    return ascii(revision[:12])[1:-1] if revision else "nothing"
