"""Rounds → metrics: Flux v1's names, labels and buckets (facts: flux-v1 §4.3), and ours.

Flux v1's alerts go on working: `delta(flux_daemon_sync_duration_seconds_count{success='true'}[6m])
< 1`, `flux_daemon_sync_manifests{success='false'} > 0`, `flux_git_ready < 1`.

A job is a sync that somebody asked for; all jobs that wait share the next round, so each of them
takes as long as that round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from flux_secret.api.appmetrics import AppMetrics

SYNC_BUCKETS: Final = (0.5, 5, 10, 20, 30, 40, 50, 60, 75, 90, 120, 240)  # seconds; Flux v1's
JOB_BUCKETS: Final = (0.1, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 120)  # seconds; Flux v1's
_SUCCESS: Final = ("true", "false")


class Metrics:
    """The metrics of one agent."""

    def __init__(
        self,
        targets: Iterable[tuple[str, bool]],
        queued: Callable[[], int] = lambda: 0,
        unrecorded: Callable[[], bool] = lambda: False,
        unpushed: Callable[[], bool] = lambda: False,
    ) -> None:
        """`targets` are names, and whether the target's generators may use the network.

        `queued` says how many jobs wait now, `unrecorded` whether the record cannot be written,
        `unpushed` whether it cannot be pushed.
        """
        self._registry = CollectorRegistry()
        registry = self._registry
        self._duration = Histogram(
            "flux_daemon_sync_duration_seconds", "Duration of git-to-cluster synchronisation.",
            ["success"], buckets=SYNC_BUCKETS, registry=registry,
        )  # fmt: skip
        self._manifests = Gauge(
            "flux_daemon_sync_manifests", "Objects of the last sync, delivered or failed.",
            ["success"], registry=registry,
        )  # fmt: skip
        self._job_duration = Histogram(
            "flux_daemon_job_duration_seconds", "Duration of job execution, in seconds.",
            ["success"], buckets=JOB_BUCKETS, registry=registry,
        )  # fmt: skip
        self._queue_duration = Histogram(
            "flux_daemon_queue_duration_seconds",
            "Duration of time spent in the job queue before execution, in seconds.",
            buckets=JOB_BUCKETS, registry=registry,
        )  # fmt: skip
        for success in _SUCCESS:  # there before the first sync, so that a rate sees the first one
            self._duration.labels(success)
            self._manifests.labels(success)
            self._job_duration.labels(success)
        self._git_ready = Gauge(
            "flux_git_ready", "Whether every repository could be asked.", registry=registry
        )
        Gauge(
            "flux_daemon_queue_length_count", "Count of jobs waiting in the queue to be run.",
            registry=registry,
        ).set_function(queued)  # fmt: skip
        Gauge(
            "flux_secret_record_failing", "Whether the record could not be written the last time.",
            registry=registry,
        ).set_function(unrecorded)  # fmt: skip
        Gauge(
            "flux_secret_record_push_failing",
            "Whether the record's branch is behind: it could not be pushed the last time.",
            registry=registry,
        ).set_function(unpushed)  # fmt: skip
        self._delivered_at = Gauge(
            "flux_secret_last_delivery_timestamp_seconds", "When a target was last delivered.",
            ["target"], registry=registry,
        )  # fmt: skip
        self._failed = Gauge(
            "flux_secret_target_failed", "Whether a target's last delivery failed.",
            ["target"], registry=registry,
        )  # fmt: skip
        network = Gauge(
            "flux_secret_generator_network", "Whether a target's generators may use the network.",
            ["target"], registry=registry,
        )  # fmt: skip
        self._calls = Counter(
            "flux_secret_webhook_calls", "Calls of webhooks, by host and outcome.",
            ["host", "outcome"], registry=registry,
        )  # fmt: skip
        self._rewound = Gauge(
            "flux_secret_store_rewound",
            "Whether a store's newest commit is refused: it takes back what was delivered.",
            ["store"], registry=registry,
        )  # fmt: skip
        self._apps = AppMetrics(registry)
        for target, may in targets:
            network.labels(target).set(may)
        ProcessCollector(registry=registry)  # memory, CPU, descriptors: Go's client has them too

    def synced(self, seconds: float, *, success: bool, applied: int | None, failed: int) -> None:
        """Note a round; `applied` None when nothing could be loaded: then the counts stay."""
        self._duration.labels("true" if success else "false").observe(seconds)
        if applied is not None:
            self._manifests.labels("true").set(applied)
            self._manifests.labels("false").set(failed)

    def polled(self, *, ready: bool) -> None:
        """Note whether every repository could be asked for its newest commit."""
        self._git_ready.set(ready)

    def job_begun(self, waited_seconds: float) -> None:
        """Note that the round of a job begins."""
        self._queue_duration.observe(waited_seconds)

    def job_ended(self, seconds: float, *, success: bool) -> None:
        """Note how long that round took."""
        self._job_duration.labels("true" if success else "false").observe(seconds)

    def delivered(self, target: str, *, at: float | None) -> None:
        """Note a target's delivery, `at` a Unix time in seconds; None when it failed."""
        self._failed.labels(target).set(at is None)
        if at is not None:
            self._delivered_at.labels(target).set(at)

    def read_from(self, store: str, *, rewound: bool) -> None:
        """Note that a delivery was made from a store, and whether its head was refused."""
        self._rewound.labels(store).set(rewound)

    @property
    def apps(self) -> AppMetrics:
        """The metrics of each App."""
        return self._apps

    def called(self, host: str, outcome: str) -> None:
        """Note a webhook's call; both are words of ours, and nothing of the call."""
        self._calls.labels(host, outcome).inc()

    def text(self) -> bytes:
        """Give them in Prometheus' text format."""
        return generate_latest(self._registry)
