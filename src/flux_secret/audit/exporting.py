"""Records → lines of CSV, CloudEvents 1.0 or OCSF 1.3, for programs that collect what happened.

JSON lines are the record's own, byte for byte, and can be verified as they are. The others cannot:
they name the writer, the number and the hash of the record that each of them is made of.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import flux_secret
from flux_secret.audit.line import Record
from flux_secret.model.record import Kind

COLUMNS: Final = (
    "time", "writer", "seq", "kind", "about", "app", "person", "error", "details", "prev", "hash",
)  # fmt: skip
# OWASP, CSV Injection; tabs and line breaks, which it has too, are escaped before
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_OCSF_VERSION: Final = "1.3.0"
_CATEGORY, _CLASS = 6, 6003  # Application Activity, API Activity
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES: Final = {
    Kind.READ: _READ, Kind.REFUSED: _READ, Kind.KEY: _READ, Kind.DELIVERED: _UPDATE,
    Kind.FAILED: _UPDATE, Kind.PRUNED: _DELETE, Kind.ADOPTED: _UPDATE, Kind.RESTARTED: _UPDATE,
    Kind.RECIPIENTS: _UPDATE, Kind.OWNERS: _UPDATE, Kind.APPROVAL: _CREATE,
    Kind.SETTINGS: _UPDATE, Kind.REWIND: _UPDATE,
}  # fmt: skip
_FAILURES: Final = frozenset({Kind.REFUSED, Kind.FAILED, Kind.HELD})
_ACTIVITY_NAMES: Final = {
    _CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete", _OTHER: "Other",
}  # fmt: skip


def csv_head() -> str:
    """Give the first line."""
    return _row(COLUMNS)


def csv_line(record: Record) -> str:
    """Give a record as a line of CSV (RFC 4180).

    A cell that a spreadsheet would run as a formula has an apostrophe before it. What a terminal
    would obey is escaped, line breaks too: a record is one line.
    """
    details = dict(record.details)
    own = {name: str(details.pop(name, "")) for name in ("app", "person", "error")}
    cells = {
        "time": record.time, "writer": record.writer, "seq": str(record.seq), "kind": record.kind,
        "about": record.about, **own,
        "details": json.dumps(details, ensure_ascii=False) if details else "",
        "prev": record.prev, "hash": record.hash,
    }  # fmt: skip
    return _row([_harmless(cells[name]) for name in COLUMNS])


def cloudevent(record: Record) -> str:
    """Give a record as one CloudEvent in JSON."""
    event = {
        "specversion": "1.0",
        "id": f"{record.writer}/{record.seq}",
        "source": f"/flux-secret/record/{record.writer}",
        "type": f"io.flux-secret.record.{record.kind}.v1",
        "time": record.time,
        **({"subject": record.about} if record.about else {}),
        "datacontenttype": "application/json",
        "sequence": f"{record.seq:016d}",
        "data": {
            "kind": record.kind, "about": record.about, "details": record.details,
            "prev": record.prev, "hash": record.hash,
        },
    }  # fmt: skip
    return json.dumps(event, ensure_ascii=False)


def ocsf(record: Record) -> str:
    """Give a record as an event of OCSF's class API Activity."""
    kind, details = _kind(record.kind), record.details
    activity = _ACTIVITIES.get(kind, _OTHER) if kind else _OTHER
    if details.get("action") == "created":
        activity = _CREATE
    failed = kind in _FAILURES or "error" in details
    who = str(details.get("person") or details.get("app") or record.writer)
    event: dict[str, object] = {
        "category_uid": _CATEGORY,
        "category_name": "Application Activity",
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _ACTIVITY_NAMES[activity],
        "type_uid": _CLASS * 100 + activity,
        "severity_id": 3 if failed else 1,
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        "time": _milliseconds(record.time),
        "metadata": {
            "version": _OCSF_VERSION,
            "product": {
                "name": "flux-secret", "vendor_name": "flux-secret",
                "version": flux_secret.__version__,
            },
            "uid": f"{record.writer}/{record.seq}",
            "sequence": record.seq,
            "log_name": record.writer,
        },
        "actor": _actor(record, who),
        "api": {"operation": record.kind, "service": {"name": "flux-secret"}},
        "src_endpoint": {"name": record.writer},
        "resources": [{"name": record.about, "type": "secret" if kind is Kind.READ else "object"}],
        "unmapped": {"details": details, "prev": record.prev, "hash": record.hash},
    }  # fmt: skip
    if error := details.get("error"):
        event["status_detail"] = error
    return json.dumps(event, ensure_ascii=False)


FORMATS: Final[Mapping[str, Callable[[Record], str]]] = {
    "csv": csv_line,
    "cloudevents": cloudevent,
    "ocsf": ocsf,
}


def _actor(record: Record, who: str) -> Mapping[str, object]:
    if "person" in record.details:
        return {"user": {"name": who, "type_id": 1}}
    return {"app_name": who}


def _kind(text: str) -> Kind | None:
    try:
        return Kind(text)
    except ValueError:  # of a newer version
        return None


def _milliseconds(time: str) -> int:
    try:
        return round(datetime.fromisoformat(time).timestamp() * 1000)
    except ValueError:
        return 0


def _harmless(cell: str) -> str:
    if not cell.isprintable():
        cell = "".join(char if char.isprintable() else repr(char)[1:-1] for char in cell)
    # some programs take the spaces before a formula away
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _row(cells: object) -> str:
    out = io.StringIO()
    written = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    written.writerow(cells)  # type: ignore[arg-type]
    return out.getvalue().removesuffix("\r\n")
