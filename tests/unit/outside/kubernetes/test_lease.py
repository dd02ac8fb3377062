from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.outside.kubernetes.body import Json
from flux_secret.outside.kubernetes.lease import MAX_DURATION_SECONDS, Lease

WHOLE = Lease(
    "flux-secret-member-a", "a", 35, "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000000Z",
    3, frozenset({"b", "c"}), "uid", "7", "{}",
)  # fmt: skip


def test_what_is_written_is_read_again() -> None:
    tree = json.loads(WHOLE.to_body("flux", "flux-secret"))
    assert Lease.parse(tree) == WHOLE
    assert tree["metadata"]["namespace"] == "flux"
    assert tree["metadata"]["labels"] == {"flux-secret.io/replica-of": "flux-secret"}


def test_a_renewal_changes_the_record_and_a_note_on_the_lease_does_not() -> None:
    tree = json.loads(WHOLE.to_body("flux", "flux-secret"))
    tree["metadata"]["annotations"]["somebody"] = "was here"
    tree["metadata"]["resourceVersion"] = "8"
    assert Lease.parse(tree).record == WHOLE.record
    tree["spec"]["renewTime"] = "2026-01-01T00:00:05.000000Z"
    assert Lease.parse(tree).record != WHOLE.record


@pytest.mark.parametrize(
    ("duration", "counts"),
    [(10**12, MAX_DURATION_SECONDS), (-5, 0), (None, 0), ("35", 0), (True, 0), (35, 35)],
)
def test_nobody_is_waited_for_longer_than_an_hour(duration: Json, counts: int) -> None:
    tree: Json = {"metadata": {"name": "x"}, "spec": {"leaseDurationSeconds": duration}}
    assert Lease.parse(tree).duration_seconds == counts


json_trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
)


@given(json_trees, json_trees)
def test_whatever_stands_in_a_lease_is_read(metadata: Json, spec: Json) -> None:
    assert isinstance(Lease.parse({"metadata": metadata, "spec": spec}), Lease)
