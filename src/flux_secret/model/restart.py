"""Whether, how fast and when workloads are restarted for a changed Secret: `spec.restart`.

    restart:
      workloads: delivered      # or all: whatever uses the Secret in its namespace
      budget: 10                # restarts a minute in one namespace
      freeze:
        - {days: [mon-fri], from: "08:00", to: "18:00", timeZone: Europe/Berlin}

The flag has a window as one text: `mon-fri 08:00-18:00 Europe/Berlin`.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import ConfigurationError
from flux_secret.model.names import ObjectKey

BUDGET: Final = 10  # restarts a minute in one namespace
MAX_BUDGET: Final = 1000
MAX_WINDOWS: Final = 32
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
ROLLOUT: Final = "its rollout"
"""What a workload waits for that was restarted."""
_EXAMPLE: Final = "mon-fri 08:00-18:00 Europe/Berlin"
_TIME: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_FIELDS: Final = frozenset({"enabled", "workloads", "budget", "freeze"})
_WINDOW: Final = frozenset({"days", "from", "to", "timeZone"})


class Restarted(enum.Enum):
    """Which workloads are restarted."""

    DELIVERED = "delivered"
    """Those that the same target delivers."""
    ALL = "all"
    """Whatever uses the Secret in its namespace."""


@dataclass(frozen=True, slots=True)
class FreezeWindow:
    """When nothing is restarted: some days, from a time to a time of one zone."""

    days: frozenset[int]
    """Those on which it begins, Monday is 0."""
    begins: int = 0
    """Minutes after midnight."""
    ends: int = DAY_MINUTES
    """Minutes after midnight; not later than `begins` is on the next day."""
    zone: str = "UTC"
    """A name of the IANA time zone database."""

    @property
    def tz(self) -> dt.tzinfo:
        """The zone itself."""
        return dt.UTC if self.zone == "UTC" else zoneinfo.ZoneInfo(self.zone)

    @classmethod
    def parse(cls, text: str) -> FreezeWindow:
        """Read `[DAYS] [FROM-TO] [ZONE]`; raise `ConfigurationError`."""
        given: dict[str, object] = {}
        for word in text.split():
            begins, dash, ends = word.partition("-")
            if ":" in word and dash:
                found: dict[str, object] = {"from": begins, "to": ends}
            elif word.lower()[:3] in DAYS:
                found = {"days": word.split(",")}
            else:
                found = {"timeZone": word}
            if found.keys() & given.keys():
                raise _bad(f"{text[:80]!a} is no freeze window", f"write it as {_EXAMPLE!r}")
            given |= found
        if not given.keys() & {"days", "from"}:
            raise _bad(f"{text[:80]!a} is no freeze window", f"write it as {_EXAMPLE!r}")
        return _window(given, "the freeze window")


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """What restarting may do."""

    workloads: Restarted = Restarted.DELIVERED
    budget: int = BUDGET
    """Restarts a minute in one namespace, whoever asks for them."""
    freeze: tuple[FreezeWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretRollout:
    """How far a workload is with a changed Secret; no value of it is here."""

    workload: ObjectKey
    secrets: tuple[str, ...]
    """Names of the Secrets that changed."""
    since: dt.datetime
    """When the change was noted."""
    pods_old: int | None
    """Pods that were started with the old value; None where pods may not be listed."""
    pods_new: int | None
    waiting_for: str
    """What holds it back, in a few words."""
    targets: frozenset[str] = frozenset()
    """Names of the targets that deliver these Secrets."""


def parse_restart(untrusted: object, where: str = "restart") -> RestartPolicy | None:
    """Read what stands under `restart`, None where it is off; raise `ConfigurationError`.

    `where` names the place for people.
    """
    tree = _mapping(untrusted, where, _FIELDS)
    enabled = tree.get("enabled", True)
    if not isinstance(enabled, bool):
        raise _bad(f"{where}.enabled is neither true nor false", "write true or false")
    policy = RestartPolicy(
        restarted(tree.get("workloads", Restarted.DELIVERED.value), f"{where}.workloads"),
        budget(tree.get("budget", BUDGET), f"{where}.budget"),
        tuple(_windows(tree.get("freeze", []), f"{where}.freeze")),
    )
    return policy if enabled else None


def restarted(given: object, where: str) -> Restarted:
    """Read which workloads are meant."""
    for known in Restarted:
        if given == known.value:
            return known
    words = " or ".join(known.value for known in Restarted)
    raise _bad(f"{where} is {_shown(given)}", f"write {words}")


def budget(given: object, where: str) -> int:
    """Read restarts a minute."""
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MAX_BUDGET:
        raise _bad(
            f"{where} is {_shown(given)}",
            f"write how many workloads of a namespace may be restarted a minute: 1 to {MAX_BUDGET}",
        )
    return given


def _windows(given: object, where: str) -> Iterator[FreezeWindow]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MAX_WINDOWS:
        raise _bad(f"{where} is no list of at most {MAX_WINDOWS} windows", "write a list")
    for number, item in enumerate(given):
        place = f"{where}[{number}]"
        if isinstance(item, str):
            yield FreezeWindow.parse(item)
        else:
            yield _window(_mapping(item, place, _WINDOW), place)


def _window(tree: Mapping[str, object], where: str) -> FreezeWindow:
    days = frozenset(_days(tree.get("days", list(DAYS)), f"{where}, days"))
    begins = _minutes(tree.get("from", "00:00"), f"{where}, from")
    ends = _minutes(tree.get("to", "24:00"), f"{where}, to")
    if begins in {ends, DAY_MINUTES}:
        raise _bad(f"{where} has no length: from and to are the same time", "leave both out")
    return FreezeWindow(days, begins, ends, _zone(tree.get("timeZone", "UTC"), where))


def _days(given: object, where: str) -> Iterable[int]:
    words = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not words:
        raise _bad(f"{where}: no day is named", "leave it out for every day")
    for word in words:
        ends = [_day(part, where) for part in str(word).lower().split("-")]
        if len(ends) > 2:  # noqa: PLR2004 -- a range has two ends
            raise _bad(f"{where}: {_shown(word)} is no range of days", "as in mon-fri")
        first, last = ends[0], ends[-1]
        yield from ((first + step) % 7 for step in range((last - first) % 7 + 1))


def _day(word: str, where: str) -> int:
    short = word[:3]
    full = zip(DAYS, ("day", "sday", "nesday", "rsday", "day", "urday", "day"), strict=True)
    for number, (name, rest) in enumerate(full):
        if short == name and word[3:] in {"", rest}:
            return number
    raise _bad(f"{where}: {_shown(word)} is no day", f"write {', '.join(DAYS)}, or mon-fri")


def _minutes(given: object, where: str) -> int:
    match = _TIME.fullmatch(given) if isinstance(given, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:  # YAML 1.1 reads 18:00 without quotes as the number 1080
        raise _bad(f"{where} is {_shown(given)}, which is no time", 'write it quoted: "18:00"')
    return minutes


def _zone(given: object, where: str) -> str:
    try:
        if given != "UTC":
            zoneinfo.ZoneInfo(str(given))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise _bad(
            f"{where}: the time zone {_shown(given)} is not known here",
            "write a name as Europe/Berlin; where none is known, tzdata is not installed",
        ) from None
    return str(given)


def _mapping(given: object, where: str, known: frozenset[str]) -> Mapping[str, object]:
    if not isinstance(given, Mapping):
        raise _bad(f"{where} is {_shown(given)}", f"write fields: {', '.join(sorted(known))}")
    if unknown := sorted(str(name) for name in given if name not in known):
        raise _bad(
            f"{where} has a field {unknown[0][:80]!a}", f"it knows {', '.join(sorted(known))}"
        )
    return given


def _shown(given: object) -> str:
    return f"{str(given)[:80]!a}"


def _bad(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(what, remedy=remedy)
