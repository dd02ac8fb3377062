"""Metrics of Apps: how each stands, how its rounds ended, and nothing of one that is gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from flux_secret.api.appmetrics import AppMetrics
from flux_secret.model.app import AppName
from flux_secret.model.status import AppStatus, Reason

DEMO = AppStatus(AppName("dev-demo", "demo"), message="apps has no entry a/b")
LABELS = '{name="demo",namespace="dev-demo"}'


def lines(registry: CollectorRegistry) -> list[str]:
    return [one for one in generate_latest(registry).decode().splitlines() if one[0] != "#"]


def test_an_app_is_ready_or_not_once_it_is_known() -> None:
    registry = CollectorRegistry()
    metrics = AppMetrics(registry)
    metrics.stands(DEMO)
    assert not [one for one in lines(registry) if one.startswith("flux_secret_app_ready")]
    metrics.stands(replace(DEMO, ready=False, reason=Reason.FAILED, failures=3))
    assert f"flux_secret_app_ready{LABELS} 0.0" in lines(registry)
    assert f"flux_secret_app_consecutive_failures{LABELS} 3.0" in lines(registry)
    metrics.stands(replace(DEMO, ready=True, suspended=True))
    assert f"flux_secret_app_ready{LABELS} 1.0" in lines(registry)
    assert f"flux_secret_app_suspended{LABELS} 1.0" in lines(registry)


def test_rounds_are_counted_by_how_they_ended_and_their_time_is_kept() -> None:
    registry = CollectorRegistry()
    metrics = AppMetrics(registry)
    metrics.ended(DEMO.name, 0.3, success=True)
    said = lines(registry)
    counted = 'flux_secret_app_deliveries_total{name="demo",namespace="dev-demo",result='
    assert f'{counted}"success"}} 1.0' in said
    assert f'{counted}"failure"}} 0.0' in said
    assert f"flux_secret_app_delivery_duration_seconds_count{LABELS} 1.0" in said


def test_nothing_is_left_of_an_app_that_is_gone_or_another_replicas() -> None:
    registry = CollectorRegistry()
    metrics = AppMetrics(registry)
    leaves: list[Callable[[], None]] = [
        lambda: metrics.forget(DEMO.name),
        lambda: metrics.keep(lambda _name: False),
    ]
    for leave in leaves:
        metrics.stands(replace(DEMO, ready=True))
        metrics.ended(DEMO.name, 0.3, success=False)
        metrics.keep(lambda name: name == DEMO.name)
        assert len(lines(registry)) == 23
        leave()
        assert lines(registry) == []


def test_no_message_and_no_name_of_an_entry_is_in_them() -> None:
    registry = CollectorRegistry()
    AppMetrics(registry).stands(replace(DEMO, ready=False))
    assert "entry" not in generate_latest(registry).decode()
