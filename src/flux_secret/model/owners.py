"""`.flux-secret/owners.yaml` of a store → who answers for which of its entries.

    version: 1
    owners:
      alice: {keys: ["openpgp:0123…", "ssh-ed25519 AAAA…"], contact: alice@example.org}
      bob: {keys: ["openpgp:4567…"]}
    paths:
      "": {owners: [alice, bob]}          # the whole store
      demo/prod: {owners: [alice, bob], approvals: 2, rotateEvery: 90d,
                  readers: {apps: ["demo-*"], clusters: [prod]}, contact: "#team-demo"}

Entries are named inside the store, without its mount. The longest prefix wins, by whole folders or
as the entry itself. gopass and pass pass over folders that begin with a dot (ADR 0024).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.duration import parse_duration
from flux_secret.model.fields import Fields, bad
from flux_secret.model.ownerkey import OwnerKey
from flux_secret.model.strictyaml import parse_document

FOLDER: Final = ".flux-secret"
OWNERS_FILE: Final = f"{FOLDER}/owners.yaml"
VERSION: Final = 1
MAX_FILE: Final = 1024 * 1024  # bytes
MAX_RULES: Final = 10_000
MAX_OWNERS: Final = 1_000
MAX_KEYS: Final = 20  # of one owner
MAX_PREFIX: Final = 1024  # characters
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,99}")
_DAYS: Final = re.compile(r"([0-9]{1,5})([dw])")
_FILES: Final = (".gpg", ".age")  # what entries' files end in
_DAY: Final = 86_400
_DOCUMENT: Final = ("version", "owners", "paths")
_RULE: Final = ("owners", "approvals", "rotateEvery", "readers", "contact")


@dataclass(frozen=True, slots=True)
class Owner:
    """A person who answers for secrets."""

    name: str
    keys: tuple[OwnerKey, ...]
    """Sorted, at least one; each signs for this one person."""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who answers for the entries below a prefix."""

    prefix: str
    """A folder or an entry of the store; empty for the whole of it."""
    owners: tuple[str, ...]
    """Names, sorted."""
    approvals: int = 1
    """How many different owners have to agree to a change."""
    rotate_every: int | None = None
    """Seconds after which a value is too old; None when never."""
    apps: tuple[str, ...] | None = None
    """Patterns of Apps that may read it, `*` for any run of characters; None for all."""
    clusters: tuple[str, ...] | None = None
    """Patterns of clusters that may read it; None for all."""
    contact: str = ""

    @property
    def shown(self) -> str:
        """The prefix for people."""
        return self.prefix or "the whole store"

    def covers(self, entry: str) -> bool:
        """Whether the prefix is an entry, or a folder above it."""
        return not self.prefix or entry == self.prefix or entry.startswith(f"{self.prefix}/")


@dataclass(frozen=True, slots=True)
class Owners:
    """What one owners file says."""

    people: Mapping[str, Owner]
    rules: tuple[Rule, ...]
    """Sorted by prefix, each prefix once."""
    _by_prefix: Mapping[str, Rule] = field(init=False, repr=False, compare=False)
    _sorted: Sequence[tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rules."""
        object.__setattr__(self, "_by_prefix", {rule.prefix: rule for rule in self.rules})
        # by parts, so that what lies below a folder follows it at once
        object.__setattr__(self, "_sorted", sorted(map(_parts, self._by_prefix)))

    def rule(self, entry: str) -> Rule | None:
        """Give the rule with the longest prefix of an entry, or of a folder."""
        prefix = entry
        while prefix:
            if prefix in self._by_prefix:
                return self._by_prefix[prefix]
            prefix = prefix.rpartition("/")[0]
        return self._by_prefix.get("")

    def own(self, prefix: str) -> Rule | None:
        """Give the rule of exactly this prefix."""
        return self._by_prefix.get(prefix)

    @property
    def keys(self) -> frozenset[OwnerKey]:
        """Give everybody's keys."""
        return frozenset(key for person in self.people.values() for key in person.keys)

    def below(self, prefix: str) -> tuple[str, ...]:
        """Give the nearest longer prefixes that have rules of their own: what others answer for."""
        start = _parts(prefix)
        found: list[tuple[str, ...]] = []
        for at in range(bisect.bisect_right(self._sorted, start), len(self._sorted)):
            parts = self._sorted[at]
            if parts[: len(start)] != start:
                break
            if not found or parts[: len(found[-1])] != found[-1]:
                found.append(parts)
        return tuple("/".join(parts) for parts in found)

    def of(self, rule: Rule) -> tuple[Owner, ...]:
        """Give the people whom a rule names."""
        return tuple(self.people[name] for name in rule.owners)


def _parts(prefix: str) -> tuple[str, ...]:
    return tuple(prefix.split("/")) if prefix else ()


NOBODY: Final = Owners({}, ())
"""Of a store without an owners file: nothing in it is owned."""


def parse_prefix(text: str) -> str:
    """Read a folder's or an entry's name inside the store; raise `UsageError`.

    Double and trailing slashes are folded. Folders that begin with a dot hold no entries.
    """
    parts = [part for part in text.split("/") if part]
    if text.startswith("/") or not (text.isprintable() and len(text) <= MAX_PREFIX):
        raise UsageError(
            f"{text[:80]!a} is no folder of a store",
            remedy="write it from the store's root, without its mount: demo/prod; '' for all",
        )
    if any(part.startswith(".") for part in parts):
        raise UsageError(
            f"{text[:80]!a} has a part that begins with a dot",
            remedy="name a folder or an entry that the store lists: no '.', '..' or dot-folder",
        )
    if any(part.endswith(_FILES) for part in parts):  # it would own a file and no entry
        raise UsageError(
            f"{text[:80]!a} is a file's name, not an entry's",
            remedy="write it as the store lists it, without .gpg or .age",
        )
    return "/".join(parts)


def parse_owners(untrusted: bytes, where: str = OWNERS_FILE) -> Owners:
    """Read the file; raise `ConfigurationError` that names the place and what would be right."""
    return parse(parse_document(untrusted, where, max_bytes=MAX_FILE), where)


def parse(document: object, where: str = OWNERS_FILE) -> Owners:
    """Read its tree; raise `ConfigurationError`."""
    fields = Fields(document, where, _DOCUMENT)
    if fields.raw("version") != VERSION or isinstance(fields.raw("version"), bool):
        raise bad(f"{fields.place('version')} is not {VERSION}", f"write version: {VERSION}")
    people = {
        name: _owner(name, tree, f"{fields.place('owners')}.{name[:100]}")
        for name, tree in _mapping(fields, "owners", MAX_OWNERS).items()
    }
    _refuse_shared(people, fields.place("owners"))
    rules: dict[str, Rule] = {}
    for text, tree in _mapping(fields, "paths", MAX_RULES).items():
        rule = _rule(text, tree, fields.place("paths"), people)
        if rule.prefix in rules:
            raise bad(f"{fields.place('paths')} has {rule.shown} twice", "make one rule of the two")
        rules[rule.prefix] = rule
    return Owners(people, tuple(rules[prefix] for prefix in sorted(rules)))


def _mapping(fields: Fields, name: str, most: int) -> Mapping[str, object]:
    given = fields.raw(name)
    place = fields.place(name)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise bad(f"{place} is no mapping", "write NAME: {…} below it")
    if len(given) > most:
        raise bad(f"{place} has more than {most} of them", "make them fewer, or several stores")
    return {str(key): value for key, value in given.items()}


def _owner(name: str, tree: object, where: str) -> Owner:
    if not _NAME.fullmatch(name):
        raise bad(f"{where} is no owner's name", "use letters, digits, '_', '-', '.', '+' and '@'")
    fields = Fields(tree, where, ("keys", "contact"))
    texts = fields.texts("keys")
    if not 0 < len(texts) <= MAX_KEYS:
        raise bad(
            f"{fields.place('keys')} has {'no key' if not texts else f'more than {MAX_KEYS} keys'}",
            "write openpgp:FINGERPRINT, or the line of a .pub file: ssh-ed25519 AAAA…",
        )
    keys = []
    for text in texts:
        try:
            keys.append(OwnerKey.parse(text))
        except UsageError as error:
            raise bad(f"{fields.place('keys')}: {error.what}", error.remedy) from None
    if len({key.id for key in keys}) < len(keys):
        raise bad(f"{fields.place('keys')} has a key twice", "remove one of them")
    return Owner(name, tuple(sorted(keys)), _line(fields, "contact"))


def _refuse_shared(people: Mapping[str, Owner], where: str) -> None:
    """Two people with one key would be two approvals of one hand."""
    holders: dict[str, str] = {}
    for person in people.values():
        for key in person.keys:
            holder = holders.setdefault(key.id, person.name)
            if holder != person.name:
                raise bad(
                    f"{where}: {holder} and {person.name} have the same key {key.short}",
                    "a key belongs to one person: remove it from one of them",
                )


def _rule(text: str, tree: object, where: str, people: Mapping[str, Owner]) -> Rule:
    place = f'{where}."{text[:100]}"'
    try:
        prefix = parse_prefix(text)
    except UsageError as error:
        raise bad(f"{where}: {error.what}", error.remedy) from None
    fields = Fields(tree, place, _RULE)
    named = fields.texts("owners")
    if not named:
        raise bad(f"{fields.place('owners')} names nobody", "name at least one owner; better two")
    for name in named:
        if name not in people:
            raise bad(
                f"{fields.place('owners')} names {name[:80]!a}, whom the file does not know",
                f"add {name[:80]} below owners: with a key, or name somebody else",
            )
    if len(set(named)) < len(named):
        raise bad(f"{fields.place('owners')} names somebody twice", "name everybody once")
    readers = fields.within("readers", ("apps", "clusters"))
    return Rule(
        prefix=prefix,
        owners=tuple(sorted(named)),
        approvals=_approvals(fields, len(named)),
        rotate_every=fields.read("rotateEvery", parse_age) if fields.has("rotateEvery") else None,
        apps=_patterns(readers, "apps"),
        clusters=_patterns(readers, "clusters"),
        contact=_line(fields, "contact"),
    )


def _approvals(fields: Fields, owners: int) -> int:
    given = fields.raw("approvals")
    if given is None:
        return 1
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise bad(f"{fields.place('approvals')} is no number of people", "write 1 or more")
    if given > owners:
        raise bad(
            f"{fields.place('approvals')} is {given}, and only {owners} "
            f"{'owner is' if owners == 1 else 'owners are'} named: nobody could change it again",
            f"write at most {owners}, or name more owners",
        )
    return given


def _patterns(fields: Fields, name: str) -> tuple[str, ...] | None:
    if not fields.has(name):
        return None
    texts: Sequence[str] = fields.texts(name)
    for text in texts:
        if not text.isprintable():
            raise bad(f"{fields.place(name)} has an unprintable character", "write plain names")
    return tuple(sorted(set(texts)))


def _line(fields: Fields, name: str) -> str:
    text = fields.text(name, "")
    if not text.isprintable():
        raise bad(f"{fields.place(name)} has an unprintable character", "write one plain line")
    return text


def parse_age(text: str) -> int:
    """Read `90d`, `12w` or a duration such as `720h`, in seconds; raise `UsageError`."""
    match = _DAYS.fullmatch(text)
    if match:
        seconds = int(match[1]) * _DAY * (7 if match[2] == "w" else 1)
    else:
        try:
            seconds = int(parse_duration(text))
        except UsageError as error:
            raise UsageError(error.what, remedy="write 90d, 12w or 720h") from None
    if seconds < 1:
        raise UsageError(f"{text[:64]!r} is no time at all", remedy="write 90d, 12w or 720h")
    return seconds
