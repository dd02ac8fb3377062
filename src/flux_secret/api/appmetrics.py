"""How each App stands → metrics of ours.

Labels are the App's namespace and name, and words of ours: an App has at most 23 series, and those
of one that is gone are removed. No entry of a store is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from flux_secret.model.app import AppName
from flux_secret.model.status import AppStatus

BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)  # seconds
_NAME: Final = ("namespace", "name")
RESULTS: Final = ("success", "failure")


class AppMetrics:
    """The metrics of an agent's Apps."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._names: set[AppName] = set()
        self._ready = Gauge(
            "flux_secret_app_ready", "Whether an App is as it should be.", _NAME, registry=registry
        )
        self._suspended = Gauge(
            "flux_secret_app_suspended", "Whether an App is suspended.", _NAME, registry=registry
        )
        self._failures = Gauge(
            "flux_secret_app_consecutive_failures", "Rounds that failed one after another.", _NAME,
            registry=registry,
        )  # fmt: skip
        self._unapproved = Gauge(
            "flux_secret_app_unapproved",
            "Changes of stores that an App waits for, for want of owners' signatures.", _NAME,
            registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "flux_secret_app_delivery_duration_seconds", "How long a round of an App took.", _NAME,
            buckets=BUCKETS, registry=registry,
        )  # fmt: skip
        self._deliveries = Counter(
            "flux_secret_app_deliveries", "Rounds of an App, by how they ended.",
            [*_NAME, "result"], registry=registry,
        )  # fmt: skip

    def stands(self, status: AppStatus) -> None:
        """Note how an App stands; readiness only once it is known."""
        labels = (status.name.namespace, status.name.name)
        self._names.add(status.name)
        self._suspended.labels(*labels).set(status.suspended)
        self._failures.labels(*labels).set(status.failures)
        self._unapproved.labels(*labels).set(len(status.held))
        if status.ready is not None:
            self._ready.labels(*labels).set(status.ready)

    def ended(self, name: AppName, seconds: float, *, success: bool) -> None:
        """Note that a round ended."""
        labels = (name.namespace, name.name)
        self._names.add(name)
        self._duration.labels(*labels).observe(seconds)
        for result in RESULTS:  # both there from the first, so that a rate sees the first failure
            self._deliveries.labels(*labels, result)
        self._deliveries.labels(*labels, RESULTS[0] if success else RESULTS[1]).inc()

    def forget(self, name: AppName) -> None:
        """Remove the series of an App that is gone."""
        labels = (name.namespace, name.name)
        self._names.discard(name)
        for one in (
            self._ready, self._suspended, self._failures, self._unapproved, self._duration,
        ):  # fmt: skip
            one.remove(*labels)
        for result in RESULTS:
            self._deliveries.remove(*labels, result)

    def keep(self, is_ours: Callable[[AppName], bool]) -> None:
        """Remove the series of what is no longer ours: another replica tells of it."""
        for name in [name for name in self._names if not is_ours(name)]:
            self.forget(name)
