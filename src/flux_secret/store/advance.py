"""A store's head → the commit that may be read: never one that takes back what was delivered.

1. What is read is on record first, in the cluster, shared by all replicas; the first head that is
   ever seen of a store is trusted.
2. A head counts when it contains the commit on record. One that does not was rewound, rewritten or
   belongs to another repository: it is refused, and the commit on record is read on.
3. A rewind that is meant is accepted once, by its commit: by owners, and where nobody owns
   anything by the settings. Setting it back a second time is refused again.
4. A copy that is older than the record, while its remote is silent, is read by nobody: it would
   take back what another replica has delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

import structlog

from flux_secret.errors import StoreRewoundError, UnreachableError
from flux_secret.model.delivery import HeldBack, StoreRevision
from flux_secret.model.names import StoreName
from flux_secret.model.record import Recorder, Unrecorded
from flux_secret.outside.kubernetes import ConflictError
from flux_secret.store.interface import Fetched, Mirror
from flux_secret.store.news import News
from flux_secret.store.owned import Agreed, Judge, ReadRule, Unjudged
from flux_secret.store.standing import MAX_REWINDS, Standing

TRIES: Final = 5
"""How often a record is read anew that another replica has changed meanwhile."""
_log = structlog.get_logger(component="sync-loop")


class Ancestry(Protocol):
    """Which of a store's commits contains which."""

    @property
    def address(self) -> str:
        """Where they come from."""

    async def has(self, commit: str) -> bool:
        """Say whether it is here."""

    async def leads_to(self, old: str, new: str) -> bool:
        """Say whether `new` contains `old`."""

    async def bring(self, commit: str) -> bool:
        """Ask the remote for a commit by its id; say whether it is here now."""

    async def keep(self, commit: str) -> None:
        """Keep it from being cleaned away."""

    async def approvals(self) -> str:
        """Name what is here of owners' approvals; empty for none."""


class Records(Protocol):
    """How far each store was delivered."""

    async def read(self, name: StoreName) -> Standing:
        """Give it; an empty one of a store that nobody has read yet."""

    async def write(self, standing: Standing) -> Standing:
        """Write it; raise `ConflictError` when somebody has changed it since it was read."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What may be read of a store."""

    revision: StoreRevision
    outage: str = ""
    """Why it is not the newest."""
    refusal: StoreRewoundError | None = None
    """Why the head is not what is read."""
    held: tuple[HeldBack, ...] = ()
    """Changes that wait for owners."""
    rules: tuple[ReadRule, ...] = ()
    """Who may read what of it."""


class Gate(Protocol):
    """Says what may be read of a store."""

    async def admit(self, name: StoreName, mirror: Mirror) -> Admitted:
        """Fetch, and say it; raise what fetching raises, and when nothing may be read."""


class Ungated:
    """For who delivers nothing: whatever head there is may be read."""

    async def admit(self, _name: StoreName, mirror: Mirror) -> Admitted:
        """Fetch."""
        fetched = await mirror.fetch(None)
        return Admitted(StoreRevision(fetched.commit), fetched.outage)


class Advance:
    """Lets stores go forwards only."""

    def __init__(
        self,
        records: Records,
        ancestry_of: Callable[[StoreName], Ancestry],
        accepted: Mapping[StoreName, str],
        judge: Judge | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Begin; `accepted` are rewinds that the settings accept, by the commit they lead to.

        `recorder` has what comes of a head before anything is read of it.
        """
        self._recorder = recorder or Unrecorded()
        self._news = News()
        self._judge = judge or Unjudged()
        self._records = records
        self._ancestry_of = ancestry_of
        self._accepted = accepted
        self._known: dict[StoreName, Standing] = {}
        self._alone = asyncio.Lock()
        self._told: dict[StoreName, str] = {}
        """Which refused head was said."""

    async def admit(self, name: StoreName, mirror: Mirror) -> Admitted:
        """Fetch, and say what may be read; raise `IntegrityError` when nothing may be."""
        fetched = await mirror.fetch(None)
        async with self._alone:
            return await self._admit(name, mirror, fetched)

    async def _admit(self, name: StoreName, mirror: Mirror, fetched: Fetched) -> Admitted:
        ancestry = self._ancestry_of(name)
        for again in range(TRIES):
            known = self._known.get(name)
            if known is None or known.commit != fetched.commit:
                known = self._known[name] = await self._records.read(name)
            new = await self._next(known, fetched.commit, ancestry, mirror)
            if new is None and not again and not await ancestry.has(known.commit):
                fetched = await mirror.fetch(None)  # another replica may have seen a newer one
                continue
            refusal = None if new else await self._refusal(known, fetched, ancestry)
            agreed = await self._judge.judge(mirror.path, new or known, await ancestry.approvals())
            await self._recorder.write(self._news.of(known, agreed, fetched.commit, refusal))
            self._news.told(agreed, fetched.commit, refusal)
            try:
                self._known[name] = await self._written(known, agreed.standing)
            except ConflictError:
                self._known.pop(name, None)
                continue
            await ancestry.keep(agreed.standing.commit)
            return _admitted(agreed, fetched, refusal)
        raise UnreachableError(
            f"how far store {name} was delivered is changed by others again and again",
            remedy="it is tried again",
        )

    async def _written(self, known: Standing, new: Standing) -> Standing:
        return known if new == known else await self._records.write(new)

    async def _next(
        self, known: Standing, head: str, ancestry: Ancestry, mirror: Mirror
    ) -> Standing | None:
        """Give what is to be on record; None when the head is refused."""
        if known.commit == head:
            return known
        if not known.commit or await ancestry.leads_to(known.commit, head):
            return replace(known, commit=head, url=ancestry.address)
        if known.states and not await ancestry.has(known.commit):
            await ancestry.bring(known.commit)  # owners have agreed to leave it: it is looked at
        approvals = await ancestry.approvals()
        accepted = await self._judge.rewound(mirror.path, known, head, approvals)
        reason = "its owners, or a new trust anchor, accept it"
        if accepted is None and not known.states:
            accepted = await self._flagged(known, head, ancestry)
            reason = "--accept-store-rewind; it counts once, and can be left out now"
        if accepted is None:
            return None
        _log.warning(
            "store.rewind_accepted",
            store=str(known.store), old=known.commit, new=head, reason=reason,
        )  # fmt: skip
        return replace(accepted, commit=head, url=ancestry.address)

    async def _flagged(self, known: Standing, head: str, ancestry: Ancestry) -> Standing | None:
        """Accept what the settings accept, once; not where owners have to agree."""
        asked = self._accepted.get(known.store, "")
        if not asked or asked in known.rewinds:
            return None
        if asked != head and not await ancestry.leads_to(asked, head):
            return None
        return replace(known, rewinds=(*known.rewinds, asked)[-MAX_REWINDS:])

    async def _refusal(
        self, known: Standing, fetched: Fetched, ancestry: Ancestry
    ) -> StoreRewoundError:
        """Say why the head is not read; raise where what is on record cannot be read either."""
        is_here = await ancestry.has(known.commit)
        if not is_here and fetched.outage:
            raise UnreachableError(
                f"the copy of store {known.store} here ({fetched.commit[:12]}) may be older than "
                f"{known.commit[:12]}, which was delivered already: read {fetched.outage}",
                remedy="it is tried again; nothing older is delivered meanwhile",
            )
        is_here = is_here or await ancestry.bring(known.commit)
        refusal = _rewound(known, fetched.commit, ancestry.address, is_here=is_here)
        if self._told.get(known.store) != fetched.commit:
            self._told[known.store] = fetched.commit
            _log.error("store.rewound", store=str(known.store), old=known.commit,
                       new=fetched.commit, err=refusal.what, remedy=refusal.remedy)  # fmt: skip
        if not is_here:
            raise refusal
        return refusal


def _admitted(agreed: Agreed, fetched: Fetched, refusal: StoreRewoundError | None) -> Admitted:
    standing = agreed.standing
    commits = {prefix: one.commit for prefix, one in sorted(standing.states.items())}
    is_whole = all(commit == standing.commit for commit in commits.values())
    revision = StoreRevision(
        standing.commit,
        head=fetched.commit if refusal else "",
        approved=() if is_whole else tuple(commits.items()),
        approvals=agreed.approvals,
    )
    return Admitted(revision, fetched.outage, refusal, agreed.held, agreed.rules)


def _rewound(known: Standing, head: str, address: str, *, is_here: bool) -> StoreRewoundError:
    moved = f", and came from {known.url} then" if known.url != address else ""
    owners = (
        f"let its owners accept it: flux-secret store accept-rewind {head} "
        f"--instead-of {known.commit} --store {known.store}"
    )
    flag = f"start once with --accept-store-rewind {known.store}={head}"
    goes_on = "its entries are read as they were there" if is_here else "nothing is read of it"
    return StoreRewoundError(
        f"store {known.store} was rewound: its newest commit {head[:12]} does not contain "
        f"{known.commit[:12]}, which was delivered last{moved}; {goes_on}",
        remedy=f"bring it back: git push --force origin {known.commit[:12]}:BRANCH; or, if it is "
        f"meant, {owners if known.states else flag}",
    )
