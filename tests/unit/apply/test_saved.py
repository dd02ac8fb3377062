"""What `fluxctl save` gets: nothing that only a live object has, and YAML that Go reads."""

from __future__ import annotations

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.apply.saved import document, may_be_saved, place
from flux_secret.model.names import ObjectKey
from flux_secret.outside.kubernetes import Json


def saved(**tree: Json) -> dict[str, dict[str, Json]]:
    return dict(yaml.safe_load(document(tree)))


def test_only_what_can_be_applied_again_is_kept() -> None:
    assert saved(
        apiVersion="apps/v1", kind="Deployment", status={"replicas": 1},
        metadata={
            "name": "demo", "namespace": "dev", "uid": "u", "resourceVersion": "7",
            "generation": 2, "creationTimestamp": "2019-01-01T00:00:00Z", "managedFields": [{}],
            "ownerReferences": [{}], "finalizers": ["x"],
            "labels": {"app": "demo", "applyset.kubernetes.io/part-of": "us",
                       "fluxcd.io/sync-gc-mark": "sha256.x"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}",
                            "deployment.kubernetes.io/revision": "1",
                            "fluxcd.io/sync-checksum": "x"},
        },
        spec={"template": {"metadata": {"creationTimestamp": None, "labels": {"app": "demo"}}}},
    ) == {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "demo", "namespace": "dev", "labels": {"app": "demo"}},
        "spec": {"template": {"metadata": {"labels": {"app": "demo"}}}},
    }  # fmt: skip


def test_a_namespace_keeps_no_finalizer_and_a_claim_no_status() -> None:
    space = saved(apiVersion="v1", kind="Namespace", metadata={"name": "dev"},
                  spec={"finalizers": ["kubernetes"]})  # fmt: skip
    assert "spec" not in space
    claim: Json = {
        "metadata": {"name": "data", "creationTimestamp": None},
        "status": {"phase": "Pending"},
    }
    stateful = saved(apiVersion="apps/v1", kind="StatefulSet", metadata={"name": "db"},
                     spec={"volumeClaimTemplates": [claim, "no claim"]})  # fmt: skip
    claims = stateful["spec"]["volumeClaimTemplates"]
    assert claims == [{"metadata": {"name": "data"}}, "no claim"]


def test_secrets_and_what_fluxctl_would_empty_are_not_saved() -> None:
    for group, kind in (("", "Secret"), ("", "ConfigMap"), ("", "Service"), ("x", "Deployment"),
                        ("rbac.authorization.k8s.io", "Role"), ("apps", "Secret")):  # fmt: skip
        assert not may_be_saved(ObjectKey(group, kind, "dev", "demo"))
    for group, kind in (("", "Namespace"), ("apps", "Deployment"), ("batch", "CronJob")):
        assert may_be_saved(ObjectKey(group, kind, "", "demo"))


def test_a_namespace_comes_before_what_is_in_it() -> None:
    keys = [
        ObjectKey("apps", "Deployment", "b", "x"), ObjectKey("", "Namespace", "", "b"),
        ObjectKey("apps", "DaemonSet", "a", "x"), ObjectKey("", "Namespace", "", "a"),
    ]  # fmt: skip
    assert [(key.kind, key.name) for key in sorted(keys, key=place)] == [
        ("Namespace", "a"), ("DaemonSet", "x"), ("Namespace", "b"), ("Deployment", "x"),
    ]  # fmt: skip


@given(st.text())
def test_any_text_survives(text: str) -> None:
    tree: dict[str, Json] = {"apiVersion": "v1", "kind": "Deployment", "metadata": {"name": "x"},
            "spec": {"a": text, text: 1}}  # fmt: skip
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character is not in JSON that an API server sends
        return
    assert saved(**tree)["spec"] == tree["spec"]


@pytest.mark.parametrize("end_of_line", ["\x85", "\u2028", "\u2029"])
def test_a_key_that_yaml_would_break_is_one_line(end_of_line: str) -> None:
    spec: dict[str, Json] = {f"a{end_of_line}b": end_of_line}
    assert saved(kind="x", spec=spec)["spec"] == spec


def test_only_printable_characters_leave() -> None:
    text = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0xFEFF, 0xFFFF, 0x2028])) + "ü😀"
    sent = document({"kind": "x", "spec": {"a": text}}).decode()
    plain = set(string.printable) - set("\r\x0b\x0c") | set("ü😀")
    assert set(sent) <= plain
