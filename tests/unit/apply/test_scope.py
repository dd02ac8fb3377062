from __future__ import annotations

from dataclasses import replace

import pytest

from flux_secret.apply.scope import Placed, place
from flux_secret.apply.scopes import left_out, told
from flux_secret.errors import ManifestError, RejectedError
from flux_secret.model.manifest import Bundle, BundleItem, Origin
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Kinds, ServedKind
from unit.apply.builders import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, item

CRDS = ServedKind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "crds", namespaced=False
)
KINDS = Kinds((CONFIG_MAPS, NAMESPACES, DEPLOYMENTS, CRDS), frozenset({("x.org", "v1")}))


def placed(*items: BundleItem) -> Placed:
    return place(Bundle(items), KINDS, "fallback", "set")


def names(found: Placed) -> list[str]:
    return [want.key.namespace for want in found.wanted]


def test_namespaces_are_defaulted_by_scope() -> None:
    bundle = (item("ConfigMap", "a"), item("ConfigMap", "b", "demo"), item("Namespace", "n", "x"))
    assert names(placed(*bundle)) == ["fallback", "demo", ""]
    assert "namespace" not in str(placed(*bundle).wanted[2].body["metadata"])


def test_one_object_twice_names_both_places() -> None:
    twice = r"duplicate definition of 'fallback:configmap/a' \(in demo\.yaml and other\.yaml\)"
    other = item("ConfigMap", "a", "fallback")
    other = replace(other, manifest=replace(other.manifest, origin=Origin("other.yaml")))
    with pytest.raises(ManifestError, match=twice):
        placed(item("ConfigMap", "a"), other)


def test_equal_kinds_of_two_groups_are_two_objects() -> None:
    other = ServedKind("example.org", "v1", "ConfigMap", "configmaps", namespaced=True)
    kinds = Kinds((CONFIG_MAPS, other))
    bundle = Bundle((item("ConfigMap", "a"), item("ConfigMap", "a", api_version="example.org/v1")))
    assert len(place(bundle, kinds, "d", "set").wanted) == 2


def test_a_kind_of_the_same_bundles_crd_is_awaited() -> None:
    crd = item(
        "CustomResourceDefinition", "w.e.org", api_version="apiextensions.k8s.io/v1",
        spec={
            "group": "e.org", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True}],
        },
    )  # fmt: skip
    found = placed(item("Widget", "w", api_version="e.org/v1"), crd)
    assert [(want.key.namespace, want.awaited) for want in found.wanted] == [
        ("fallback", True),
        ("", False),
    ]


def test_a_cluster_scoped_kind_of_the_same_bundles_crd_loses_its_namespace() -> None:
    crd = item(
        "CustomResourceDefinition", "w.e.org", api_version="apiextensions.k8s.io/v1",
        spec={
            "group": "e.org", "scope": "Cluster",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True}],
        },
    )  # fmt: skip
    found = placed(item("Widget", "w", "demo", api_version="e.org/v1"), crd)
    assert names(found) == ["", ""]


def test_an_unknown_kind_is_left_out_and_counts_under_every_name_it_may_have() -> None:
    found = placed(item("Widget", "w", api_version="e.org/v1"), item("ConfigMap", "a"))
    ((key, left_out),) = found.left_out
    assert left_out.reason.startswith("the API server serves no Widget of e.org/v1 (")
    assert found.failed == ()
    assert len(found.wanted) == 1
    assert {one.namespace for one in found.origins if one.name == "w"} == {"", "fallback"}
    assert key == ObjectKey("e.org", "Widget", "", "w")


def test_a_version_that_is_not_served_names_the_one_that_is() -> None:
    (one,) = placed(item("Deployment", "d", api_version="apps/v1beta1")).failed
    assert one.error.remedy == "it serves apps/v1: change apiVersion"


def test_a_kind_whose_api_does_not_answer_says_so() -> None:
    (one,) = placed(item("Widget", "w", api_version="x.org/v1")).failed
    assert "does not answer now" in one.error.what
    assert one.origin == "demo.yaml, document 1"


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "a%2e", "a\n", "x" * 254, "\x1b[2J", "a\u202eb"]
)
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    (one,) = placed(item("ConfigMap", name)).failed
    assert isinstance(one.error, RejectedError)
    assert one.error.what.isprintable()


def test_a_scope_that_is_missing_is_told_once_and_once_when_it_is_found() -> None:
    widget = item("Widget", "w", api_version="e.org/v1")
    without = placed(widget)
    (said,) = told((), without)
    assert said.startswith("cannot find scope of resource widget/w: ")
    assert told(left_out(without), without) == []
    crd = item(
        "CustomResourceDefinition", "w.e.org", api_version="apiextensions.k8s.io/v1",
        spec={
            "group": "e.org", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True}],
        },
    )  # fmt: skip
    found = placed(widget, crd)
    assert told(left_out(without), found) == [
        "found scope of resource fallback:widget/w, back in business!"
    ]
    assert told(left_out(found), found) == []
