"""What somebody could ever read → a list of things to do, for people and for programs."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from shlex import quote
from typing import Any, Final

from flux_secret.cli import voice
from flux_secret.cli.tables import table
from flux_secret.model.access import Use
from flux_secret.model.report import stamp
from flux_secret.store.working.exposure import Unchanged
from flux_secret.store.working.leaving import Leaving

_HEAD: Final = ("TO DO", "WHERE", "WHAT", "OWNERS", "DELIVERED TO", "LAST READABLE")
_LAST: Final = 253_402_300_799  # seconds: the end of the year 9999
_SHOWN: Final = 3  # Secrets of one entry
NOT_ENOUGH: Final = (
    "taking somebody out of the recipients is not enough: they may have kept what they read, and "
    "git's history stays readable to them; only a changed value is one that they do not know"
)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Which Apps bring which entries where, as far as somebody could be asked."""

    uses: Mapping[str, Sequence[Use]] = field(default_factory=dict)
    """By entry."""
    unknown: str = ""
    """Why the cluster's are not known; empty when it was asked."""
    unseen: Sequence[str] = ()
    """What of it could not be seen."""

    @classmethod
    def of(
        cls, uses: Collection[Use], unseen: Sequence[str] = (), *, unknown: str = ""
    ) -> Deliveries:
        """Sort what was told."""
        by_entry: dict[str, list[Use]] = {}
        for one in sorted(uses):
            by_entry.setdefault(one.entry, []).append(one)
        return cls(by_entry, unknown, unseen)


def lines(found: Sequence[Leaving], deliveries: Deliveries) -> Sequence[str]:
    """Write the list; none where nothing is left."""
    rows = [row for one in found for row in _rows(one, deliveries)]
    return table(_HEAD, rows) if rows else ()


def _rows(one: Leaving, deliveries: Deliveries) -> Iterator[Sequence[str]]:
    for folder, readers in one.named.items():
        who = ", ".join(reader.id for reader in readers)
        yield "remove", _place(one, folder), f"recipient {who}", "-", "-", "-"
    for name in one.sealed:
        yield "encrypt", _full(one, name), "is encrypted to them all the same", "-", "-", "-"
    for value in sorted(one.due, key=lambda each: (each.when, each.entry)):
        doubt = "" if value.is_certain else " ?"
        yield (
            "change", _full(one, value.entry), ", ".join(value.what) + doubt,
            ",".join(_owners(one, value)) or "-", _delivered(one, value, deliveries),
            _day(value.when),
        )  # fmt: skip


def _full(one: Leaving, name: str) -> str:
    return posixpath.join(one.store, name)


def _place(one: Leaving, folder: str) -> str:
    return _full(one, folder) if folder else one.store or "the root store"


def _owners(one: Leaving, value: Unchanged) -> Sequence[str]:
    rule = one.owners.rule(value.entry)
    return rule.owners if rule is not None else ()


def _delivered(one: Leaving, value: Unchanged, deliveries: Deliveries) -> str:
    uses = deliveries.uses.get(_full(one, value.entry), ())
    places = [place for use in uses for place in use.secrets or (f"by {use.app}",)]
    places = list(dict.fromkeys(places))
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    known = ", ".join(places[:_SHOWN]) + more
    if deliveries.unknown:
        return f"{known}, ?" if known else "?"
    return known or "-"


def _day(seconds: int) -> str:
    return _time(seconds).date().isoformat() if seconds else "-"


def _time(seconds: int) -> datetime:
    """Read a commit's date, which may be any number."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST), UTC)


def tell(found: Sequence[Leaving], deliveries: Deliveries, text: str) -> None:
    """Print everything."""
    people = {each.name: None for one in found for each in one.people}
    for name in people:
        voice.say(f"{text} is {name}" if text not in {name, ""} else name)
    for one in found:
        voice.say(_ever(one))
    listed = lines(found, deliveries)
    if listed:
        voice.say("")
    for line in listed:
        voice.say(line)
    for said in _notes(found, deliveries, text):
        voice.note(said)


def _ever(one: Leaving) -> str:
    versions, entries = len(one.past.readable), len(one.past.entries)
    if not versions:
        return f"{_place(one, '')}: they could never decrypt anything"
    last = max(each.when for each in one.past.readable)
    until = f", the last one written on {_day(last)}" if last else ""
    return (
        f"{_place(one, '')}: they could decrypt {voice.counted(versions, 'version')} of "
        f"{voice.counted(entries, 'entry', 'entries')}{until}"
    )


def _notes(found: Sequence[Leaving], deliveries: Deliveries, text: str) -> Iterator[str]:
    left = sum(one.left for one in found)
    named, sealed, due = (
        [each for one in found for each in getattr(one, kind)]
        for kind in ("named", "sealed", "due")
    )
    if named:
        yield f"to take them out of the recipients: flux-secret offboard {quote(text)} --remove"
    if sealed:
        yield "to encrypt anew: flux-secret reencrypt STORE"
    if due:
        yield "to change a value: at its source, then flux-secret store edit ENTRY"
    if any(not one.is_certain for one in due):
        yield "? marks what cannot be decrypted here: it counts as known to them"
    beside = sum(len(one.beside) for one in found)
    if beside:
        yield (f"in {voice.counted(beside, 'entry', 'entries')} only other keys than the password "
               "are the same: -o json names them")  # fmt: skip
    gone = sum(len(_gone(one)) for one in found)
    if gone:
        yield (f"{voice.counted(gone, 'entry', 'entries')} that they could read "
               f"{'is' if gone == 1 else 'are'} gone from the store; whether such a value is "
               "in use elsewhere, no store says")  # fmt: skip
    if deliveries.unknown and due:
        yield f"where values are delivered is not known: {deliveries.unknown}"
    yield from (f"not seen: {one}" for one in deliveries.unseen)
    yield from (f"whose values they are is not known: {one.flaw}" for one in found if one.flaw)
    if any(one.past.readable for one in found):
        yield NOT_ENOUGH
    yield f"{voice.counted(left, 'thing')} left to do" if left else "nothing is left to do"


def _gone(one: Leaving) -> Collection[str]:
    return one.past.entries.keys() - one.past.present


def data(found: Sequence[Leaving], deliveries: Deliveries, text: str) -> dict[str, Any]:
    """Give everything for programs; never a value."""
    return {
        "asked": text,
        "left": sum(one.left for one in found),
        "deliveries_unknown": deliveries.unknown,
        "deliveries_unseen": list(deliveries.unseen),
        "stores": [_store(one, deliveries) for one in found],
    }


def _store(one: Leaving, deliveries: Deliveries) -> dict[str, Any]:
    return {
        "store": one.store,
        "keys": [
            {"fingerprint": each.fingerprint, "name": each.name,
             "written_as": sorted({reader.id for reader in each.readers})}
            for each in one.people
        ],
        "left": one.left,
        "recipient_of": [
            {"place": _place(one, folder), "ids": [reader.id for reader in readers]}
            for folder, readers in one.named.items()
        ],
        "encrypted_all_the_same": [_full(one, name) for name in one.sealed],
        "values": [_value(one, each, deliveries) for each in one.past.unchanged],
        "ever": [
            {
                "entry": _full(one, name), "versions": len(versions),
                "first": _stamp(min(each.when for each in versions)),
                "last": _stamp(max(each.when for each in versions)),
                "gone": name not in one.past.present,
            }
            for name, versions in sorted(one.past.entries.items())
        ],
    }  # fmt: skip


def _value(one: Leaving, value: Unchanged, deliveries: Deliveries) -> dict[str, Any]:
    rule = one.owners.rule(value.entry)
    contacts = [each.contact for each in one.owners.of(rule) if each.contact] if rule else []
    uses = deliveries.uses.get(_full(one, value.entry), ())
    return {
        "entry": _full(one, value.entry), "what": list(value.what), "certain": value.is_certain,
        "due": value.is_due_but(one.harmless), "commit": value.commit,
        "last_readable": _stamp(value.when), "owners": list(_owners(one, value)),
        "contacts": [*([rule.contact] if rule and rule.contact else []), *contacts],
        "delivered": None if deliveries.unknown and not uses else [
            {"app": use.app, "secrets": list(use.secrets), "how": use.how, "certain": use.certain}
            for use in uses
        ],
    }  # fmt: skip


def _stamp(seconds: int) -> str | None:
    return stamp(_time(seconds)) if seconds else None
