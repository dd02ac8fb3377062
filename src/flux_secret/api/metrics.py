"""Rounds → metrics: Flux v1's names, labels and buckets (facts: flux-v1 §4.3), and ours.

Flux v1's alerts go on working: `delta(flux_daemon_sync_duration_seconds_count{success='true'}[6m])
< 1`, `flux_daemon_sync_manifests{success='false'} > 0`, `flux_git_ready < 1`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

SYNC_BUCKETS: Final = (0.5, 5, 10, 20, 30, 40, 50, 60, 75, 90, 120, 240)  # seconds; Flux v1's
_SUCCESS: Final = ("true", "false")


class Metrics:
    """The metrics of one agent."""

    def __init__(self, targets: Iterable[tuple[str, bool]]) -> None:
        """`targets` are names, and whether the target's generators may use the network."""
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
        for success in _SUCCESS:  # as Flux v1's, they are there before the first sync
            self._duration.labels(success)
            self._manifests.labels(success)
        self._git_ready = Gauge(
            "flux_git_ready", "Whether every repository could be asked.", registry=registry
        )
        Gauge(
            "flux_daemon_queue_length_count", "Jobs waiting; they share the next round.",
            registry=registry,
        )  # fmt: skip
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
        for target, may in targets:
            network.labels(target).set(may)

    def synced(
        self, seconds: float, *, success: bool, applied: int | None, failed: int, git_ready: bool
    ) -> None:
        """Note a round; `applied` None when nothing could be loaded: then the counts stay."""
        self._duration.labels("true" if success else "false").observe(seconds)
        self._git_ready.set(git_ready)
        if applied is not None:
            self._manifests.labels("true").set(applied)
            self._manifests.labels("false").set(failed)

    def delivered(self, target: str, *, at: float | None) -> None:
        """Note a target's delivery, `at` a Unix time in seconds; None when it failed."""
        self._failed.labels(target).set(at is None)
        if at is not None:
            self._delivered_at.labels(target).set(at)

    def text(self) -> bytes:
        """Give them in Prometheus' text format."""
        return generate_latest(self._registry)
