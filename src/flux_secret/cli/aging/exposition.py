"""Ages and deadlines → Prometheus' text format, for a textfile collector or a pushgateway."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from flux_secret.store.working.aging import Aged


def exposition(found: Sequence[Aged], now: int) -> str:
    """Write when values changed and when they have to; times, as a file's ages would not grow."""
    registry = CollectorRegistry()
    changed = Gauge(
        "flux_secret_value_changed_timestamp_seconds",
        "When an entry's value became what it is, at the earliest.", ["entry"], registry=registry,
    )  # fmt: skip
    certain = Gauge(
        "flux_secret_value_age_certain", "Whether every version could be compared.", ["entry"],
        registry=registry,
    )  # fmt: skip
    deadline = Gauge(
        "flux_secret_rotation_deadline_timestamp_seconds",
        "When an entry's value has to be another one.", ["entry", "owners"], registry=registry,
    )  # fmt: skip
    Gauge(
        "flux_secret_age_scan_timestamp_seconds", "When this was found out.", registry=registry
    ).set(now)
    for one in found:
        name = one.name.encode(errors="replace").decode()  # git takes any bytes
        changed.labels(name).set(one.age.earliest)
        certain.labels(name).set(one.age.is_certain)
        if one.due.deadline is not None and one.rule is not None:
            deadline.labels(name, ",".join(one.rule.owners)).set(one.due.deadline)
    return generate_latest(registry).decode()
