"""Which kubectl has a kustomize that is new enough."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.outside.kubectl import judged


def told(version: str, kustomize: str | None) -> bytes:
    answer: dict[str, object] = {"clientVersion": {"gitVersion": version}}
    if kustomize is not None:
        answer["kustomizeVersion"] = kustomize
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    ("version", "kustomize"),
    [
        ("v1.37.1", "v5.8.1"),
        ("v1.27.0", "v5.0.1"),
        ("v1.32.4-dispatcher", "v5.5.0"),
        ("v1.30.0", None),
    ],
)
def test_kustomize_5_and_newer_will_do(version: str, kustomize: str | None) -> None:
    assert judged("kubectl", told(version, kustomize)) == ""


@pytest.mark.parametrize(
    ("version", "kustomize"), [("v1.20.2", None), ("v1.26.9", "v4.5.7"), ("v1.9.0", ""), ("x", "y")]
)
def test_older_ones_are_named(version: str, kustomize: str | None) -> None:
    assert judged("/bin/kubectl", told(version, kustomize)).startswith(
        f"/bin/kubectl is too old: kubectl {version}"
    )


@given(st.binary(max_size=60))
def test_any_answer_is_judged(answer: bytes) -> None:
    assert judged("kubectl", answer)
