"""Which of all served kinds are listed; the rest of the search is tested on a real API server."""

from __future__ import annotations

import pytest

from flux_secret.apply.leftovers import Search
from flux_secret.model.flux_v1 import SyncSet
from flux_secret.outside.kubernetes import Kinds, ServedKind
from flux_secret.settings import Flags

SERVED = Kinds(
    tuple(
        ServedKind(group, "v1", kind, f"{kind.lower()}s", namespaced=True)
        for group, kind in (
            ("", "Secret"), ("", "Event"), ("events.k8s.io", "Event"), ("", "Endpoints"),
            ("", "ComponentStatus"), ("metrics.k8s.io", "PodMetrics"),
            ("custom.metrics.k8s.io", "Metric"), ("webhook.certmanager.k8s.io", "Challenge"),
            ("apps", "Deployment"),
        )
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (Flags().k8s_unsafe_exclude_resource, {
            "secrets", "events.events.k8s.io", "deployments.apps",
        }),
        (["v1/Secret"], {
            "deployments.apps", "events", "events.events.k8s.io", "podmetricss.metrics.k8s.io",
            "metrics.custom.metrics.k8s.io", "challenges.webhook.certmanager.k8s.io",
        }),
        (["*"], set()),
        (["v*"], {
            "deployments.apps", "events.events.k8s.io", "podmetricss.metrics.k8s.io",
            "metrics.custom.metrics.k8s.io", "challenges.webhook.certmanager.k8s.io",
        }),
    ],
)  # fmt: skip
def test_kinds_are_left_out_as_flux_v1s_globs_say(patterns: list[str], names: set[str]) -> None:
    search = Search(SyncSet("testset"), frozenset(), frozenset(), patterns)
    assert {kind.resource for kind in search.kinds(SERVED)} == names


def test_namespaced_kinds_are_listed_where_they_may_be_touched_and_no_where_else() -> None:
    search = Search(SyncSet("testset"), frozenset(), frozenset({"b", "a"}))
    assert search.places(SERVED.served[0]) == ["a", "b"]
    node = ServedKind("", "v1", "Node", "nodes", namespaced=False)
    assert search.places(node) == [""]
