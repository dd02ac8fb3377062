"""Settings → what the record says of them: a digest, and which of them changed; never a secret.

Values that may be secret do not enter: logins of addresses, values of variables, the environment.
Their names do. Two agents with the same digest were told to do the same.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from flux_secret.model.giturl import GitUrl
from flux_secret.model.record import Kind, Note
from flux_secret.settings.settings import Settings

_LEFT_OUT: Final = frozenset({"cluster_env", "tool_path"})
"""Where an agent runs, not what it does."""
_NAMES_ONLY: Final = frozenset({"env", "proxy_env", "terminal"})
"""Variables whose values may be secret."""
_MAX_NAMED: Final = 50


def said(settings: Settings, before: Settings | None = None) -> Note:
    """Say what an agent is told to do; `before` is what it was told until now."""
    now = _effective(settings)
    details = {
        "digest": hashlib.sha256(_canonical(now).encode()).hexdigest(),
        "stores": sorted(map(str, settings.stores))[:_MAX_NAMED],
        "apps": sorted(str(app.name) for app in settings.apps)[:_MAX_NAMED],
        "changed": _changed(_effective(before), now) if before is not None else None,
    }
    return Note(Kind.SETTINGS, "settings", details)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """Name what changed; of stores and Apps each one, with what happened to it."""
    names = []
    for name, said_now in now.items():
        if before[name] == said_now:
            continue
        if name in {"stores", "apps"}:
            old, new = before[name], said_now
            names += [f"{name}: {one} added" for one in sorted(new.keys() - old.keys())]
            names += [f"{name}: {one} removed" for one in sorted(old.keys() - new.keys())]
            both = sorted(new.keys() & old.keys())
            names += [f"{name}: {one} changed" for one in both if old[one] != new[one]]
        else:
            names.append(name)
    return names[:_MAX_NAMED]


def _effective(settings: Settings) -> Mapping[str, Any]:
    told = _plain(settings)
    apps = {str(app.name): _plain(app) for app in settings.apps}
    return {**told, "apps": apps}


def _plain(value: object) -> Any:  # noqa: ANN401 -- what JSON can say
    found: Any = repr(value)
    match value:
        case None | bool() | int() | float() | str():
            found = value
        case GitUrl() | Path():
            found = str(value)
        case enum.Enum():
            found = _plain(value.value)
        case Mapping():
            found = {str(name): _plain(inner) for name, inner in value.items()}
        case AbstractSet():
            found = sorted((_plain(one) for one in value), key=_canonical)
        case Sequence():
            found = [_plain(one) for one in value]
        case _ if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            kept = [name for name in names if name not in _LEFT_OUT]
            found = {name: _field(name, getattr(value, name)) for name in kept}
    return found


def _field(name: str, value: object) -> Any:  # noqa: ANN401 -- what JSON can say
    if name in _NAMES_ONLY and isinstance(value, Mapping):
        return sorted(map(str, value))
    return _plain(value)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
