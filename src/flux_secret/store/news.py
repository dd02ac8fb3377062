"""What came of a store's head → lines of the record: approvals, what waits, rewinds; each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flux_secret.errors import StoreRewoundError
from flux_secret.model.delivery import HeldBack
from flux_secret.model.names import StoreName
from flux_secret.model.record import Kind, Note
from flux_secret.store.owned import Agreed
from flux_secret.store.standing import Standing


class News:
    """Knows what was told already, for as long as the process lives."""

    def __init__(self) -> None:
        self._held: dict[StoreName, tuple[HeldBack, ...]] = {}
        self._refused: dict[StoreName, str] = {}

    def of(
        self, known: Standing, agreed: Agreed, head: str, refusal: StoreRewoundError | None
    ) -> Sequence[Note]:
        """Say what is new since what is on record of a store."""
        store, new = known.store, agreed.standing
        notes = [*_began(known, new), *_approved(known, new), *_accepted(known, new)]
        told = self._held.get(store, ())
        notes += [
            Note(Kind.HELD, _about(store, one.prefix), {**_commit(store, head), "reason": one.says})
            for one in agreed.held
            if one not in told
        ]
        if refusal is not None and self._refused.get(store) != head:
            notes.append(_rewind(known, head, error=refusal.what))
        return notes

    def told(self, agreed: Agreed, head: str, refusal: StoreRewoundError | None) -> None:
        """Note that it is on the record."""
        store = agreed.standing.store
        self._held[store] = agreed.held
        self._refused[store] = head if refusal is not None else ""


def _began(known: Standing, new: Standing) -> Iterator[Note]:
    if new.began and new.began != known.began:
        details = {**_commit(new.store, new.began), "reason": "its owners file is trusted"}
        yield Note(Kind.OWNERS, new.store.value, details)


def _approved(known: Standing, new: Standing) -> Iterator[Note]:
    """Say which steps count; what is trusted to begin with is no step."""
    if new.began != known.began:
        return
    for prefix, state in sorted(new.states.items()):
        before = known.states.get(prefix)
        if before is None or before.content != state.content:
            old = before.commit if before else None
            details = {**_commit(new.store, state.commit), "before": old}
            yield Note(Kind.APPROVAL, _about(new.store, prefix), details)


def _accepted(known: Standing, new: Standing) -> Iterator[Note]:
    if known.commit and new.rewinds != known.rewinds:
        yield _rewind(known, new.commit, error=None)


def _rewind(known: Standing, head: str, *, error: str | None) -> Note:
    details = {**_commit(known.store, head), "before": known.commit, "error": error}
    return Note(Kind.REWIND, known.store.value, details)


def _commit(store: StoreName, commit: str) -> dict[str, str | None]:
    return {"store": store.value, "commit": commit}


def _about(store: StoreName, prefix: str) -> str:
    return f"{store}/{prefix}" if prefix else store.value
