"""Values of a Secret → keyed digests, which can be compared and not be guessed.

Each is `KEY:DIGEST`: eight hex digits that name our persistent key, sixteen of an HMAC under a key
derived for this purpose, namespace, Secret and key (design decision 7). Digests under another key
say nothing about each other: a new persistent key restarts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from flux_secret.apply.digest import DigestKey
from flux_secret.apply.plan import Keep, Step, Write
from flux_secret.apply.restart.references import Reference
from flux_secret.apply.scope import Wanted
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.body import encoded

Values: TypeAlias = Mapping[str, str]
"""Key of a Secret → digest of its value."""
ID_CHARS: Final = 8
VALUE_CHARS: Final = 16  # 64 bits tell an old value from a new one; a record holds thousands
_VALUE: Final = "restart-value"
_ID: Final = "restart-key-id"
_MARK: Final = "restart-mark"
_TEMPLATE: Final = "restart-template"


def noting(made: Step, want: Wanted, key: DigestKey) -> Step:
    """Let our list say which values a Secret has; other objects are left as they are."""
    if (want.key.group, want.key.kind) != ("", "Secret"):
        return made
    match made:
        case Write():
            return replace(made, values=digests(key, want))
        case Keep(entry=entry) if entry is not None and not made.note:
            return replace(made, entry=replace(entry, values=digests(key, want)))
        case _:
            return made


def digests(key: DigestKey, want: Wanted) -> Values:
    """Give the digest of each value of a Secret."""
    of_key = key.digest(_ID, "", Plaintext(b""))[:ID_CHARS]
    space, secret = want.key.namespace, want.key.name
    return {
        name: f"{of_key}:{key.digest(f'{_VALUE}/{secret}/{name}', space, value)[:VALUE_CHARS]}"
        for name, value in want.values.items()
    }


def mark(
    key: DigestKey, namespace: str, used: Iterable[Reference], now: Mapping[str, Values], since: str
) -> str:
    """Give what a restarted pod carries: another one for each change of a value that it sees.

    `since` tells two changes apart that lead to the same value.
    """
    seen: dict[str, Json] = {
        f"{one.secret}/{one.key}": dict(_chosen(one, now[one.secret]))
        for one in used
        if one.secret in now
    }
    return key.digest(_MARK, namespace, Plaintext(encoded([since, seen])))


def template_digest(key: DigestKey, namespace: str, template: Json) -> str:
    """Tell one pod template from another."""
    return key.digest(_TEMPLATE, namespace, Plaintext(encoded(template)))


def is_changed(one: Reference, before: Values, now: Values) -> bool:
    """Whether pods that started with `before` see something else `now`.

    A single key that is gone is no change: without it, new pods would not even start.
    """
    if len({value.partition(":")[0] for value in (*before.values(), *now.values())}) > 1:
        return False
    if one.key:
        return one.key in now and _chosen(one, before) != _chosen(one, now)
    return before != now


def _chosen(one: Reference, values: Values) -> Values:
    return {one.key: values[one.key]} if one.key in values else {} if one.key else values
