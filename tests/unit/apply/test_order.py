from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flux_secret.apply.order import LAST, RANKS, in_ranks, rank
from flux_secret.model.names import ObjectKey

KINDS = st.sampled_from(
    ["Namespace", "CustomResourceDefinition", "Service", "Secret", "Deployment", "Widget", "Role"]
)
KEYS = st.builds(ObjectKey, st.sampled_from(["", "apps"]), KINDS, st.just("demo"), st.text("abc"))


def key(kind: str, name: str = "x") -> ObjectKey:
    return ObjectKey("", kind, "demo", name)


def test_the_walkthroughs_objects_are_applied_in_flux_v1s_order() -> None:
    kinds = ["Widget", "Deployment", "Secret", "Service", "CustomResourceDefinition", "Namespace"]
    ranks = in_ranks(map(key, kinds), lambda one: one)
    assert [group[0].kind for group in ranks] == list(reversed(kinds))


def test_a_kinds_group_and_case_do_not_count() -> None:
    assert rank(ObjectKey("extensions", "INGRESS", "a", "b")) == rank(key("Secret"))
    assert rank(key("PodMonitor")) == LAST


def test_ties_are_by_name() -> None:
    (only,) = in_ranks([key("Secret", "b"), key("ConfigMap", "c"), key("Secret", "a")], lambda k: k)
    assert [one.name for one in only] == ["a", "b", "c"]


def test_no_kind_has_two_ranks() -> None:
    kinds = [kind for kinds in RANKS for kind in kinds]
    assert len(kinds) == len(set(kinds))


@given(st.lists(KEYS))
def test_deletion_is_the_reverse_and_nothing_is_lost(keys: list[ObjectKey]) -> None:
    forward = [one for group in in_ranks(keys, lambda k: k) for one in group]
    backward = [one for group in in_ranks(keys, lambda k: k, reverse=True) for one in group]
    assert backward == forward[::-1]
    assert sorted(forward) == sorted(keys)
