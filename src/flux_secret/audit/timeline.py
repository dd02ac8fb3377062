"""The record → moments of one entry: who was given it, who was not, and where it was delivered.

Agents may call an entry by another name than a person does. So a read counts also when it names one
of the entry's ciphertexts (a git object's id is the same everywhere). A delivered object does not
say which entry is in it: the Secrets that one delivery wrote after it read the entry are shown, and
said to be of that delivery.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret.audit.line import Record
from flux_secret.audit.selecting import Found
from flux_secret.model.record import Kind
from flux_secret.model.timeline import Moment

MAX_DELIVERIES: Final = 1_000_000
"""That are remembered while chains are read; older ones have written what they wrote."""
_OBJECTS: Final = frozenset({
    Kind.DELIVERED.value, Kind.FAILED.value, Kind.PRUNED.value, Kind.ADOPTED.value,
})  # fmt: skip
_SECRET: Final = "secret/"  # noqa: S105 -- how the record names a Secret
_NAMED: Final = ("entry", "entries", "path", "paths")
_SAID: Final = ("reason", "error", "command", "doing")
_OF_CHAINS: Final = frozenset({"segment", "signature", "anchor"})


@dataclass
class Moments:
    """What the record says of one entry."""

    found: Found
    names: Collection[str]
    """What it is and was called, with its store."""
    blobs: Collection[str]
    """Its ciphertexts."""
    _deliveries: dict[tuple[str, str], None] = field(default_factory=dict)
    """Writer and id of those that read it."""

    def __iter__(self) -> Iterator[Moment]:
        """Give them, the oldest first; the record is read once."""
        for record, _ in self.found:
            if record.kind not in _OF_CHAINS and self._concerns(record):
                yield _moment(record)

    def _concerns(self, record: Record) -> bool:
        delivery = (record.writer, str(record.details.get("delivery", "")))
        if self._has_blob(record) or self._is_named(record):
            if record.kind == Kind.READ.value and delivery[1]:
                self._deliveries[delivery] = None
                if len(self._deliveries) > MAX_DELIVERIES:
                    self._deliveries.pop(next(iter(self._deliveries)))
            return True
        is_secret = record.kind in _OBJECTS and record.about.startswith(_SECRET)
        return is_secret and delivery in self._deliveries

    def _has_blob(self, record: Record) -> bool:
        several = record.details.get("blobs")
        read = [record.details.get("blob"), *(several if isinstance(several, list) else ())]
        return any(one in self.blobs for one in read)

    def _is_named(self, record: Record) -> bool:
        said: list[object] = [record.about]
        for name in _NAMED:
            value = record.details.get(name)
            said += value if isinstance(value, list) else [value]
        return any(one in self.names for one in said)


def _moment(record: Record) -> Moment:
    details = record.details
    who = str(details.get("person") or details.get("app") or details.get("target") or "")
    said = [record.about] if record.kind in _OBJECTS else []
    said += [str(details[name]) for name in _SAID if details.get(name)]
    if version := details.get("resourceVersion"):
        said.append(f"resourceVersion {version}")
    return Moment(
        record.time, "record", record.kind, who or record.writer, ", ".join(said),
        details=_facts(record),
    )  # fmt: skip


def _facts(record: Record) -> Mapping[str, object]:
    return {
        **record.details, "about": record.about, "writer": record.writer, "seq": record.seq,
    }  # fmt: skip
