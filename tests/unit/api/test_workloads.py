"""A workload in fluxctl's JSON: one image that it cannot read would hide the whole list."""

from __future__ import annotations

import pytest

from flux_secret.api.workloads import is_readable, shown_workload
from flux_secret.model.names import ObjectKey
from flux_secret.model.workload import Container, Rollout, Workload


@pytest.mark.parametrize(
    ("image", "readable"),
    [
        ("nginx", True),
        ("nginx:1.27", True),
        ("org/app:1", True),
        ("host.example:5000/app:1", True),
        ("localhost:5000/app:1", True),
        ("host:5000/org/app:1", True),
        ("app:1@sha256:0a1b", True),
        ("", False),
        ("/app", False),
        ("app/", False),
        ("app:", False),
        (":1", False),
        ("a:b:c", False),
        ("host:5000/app:1", False),  # Flux takes it for a name with two tags
        ("app@sha256:", False),
        ("@sha256:0a", False),
    ],
)
def test_an_image_is_read_as_fluxctl_reads_it(image: str, *, readable: bool) -> None:
    assert is_readable(image) is readable


def test_a_workload_has_every_field_that_fluxctl_knows() -> None:
    one = Workload(
        ObjectKey("apps", "Deployment", "dev", "demo"), "updating",
        [Container("a", "nginx:1"), Container("b", "a:b:c")], Rollout(2, 1, 1, 1, 1, ("stuck",)),
        {"app": "demo"}, {"locked": "true", "ignore": "sync_only", "automated": "true"},
        "dev:helmrelease/demo", "it was refused",
    )  # fmt: skip
    assert shown_workload(one) == {
        "ID": "dev:deployment/demo",
        "Containers": [{"Name": "a", "Current": {"ID": "nginx:1"}}, {"Name": "b"}],
        "ReadOnly": "ReadOnlyMode",
        "Status": "updating",
        "Rollout": {"Desired": 2, "Updated": 1, "Ready": 1, "Available": 1, "Outdated": 1,
                    "Messages": ("stuck",)},
        "SyncError": "it was refused",
        "Antecedent": "dev:helmrelease/demo",
        "Labels": {"app": "demo"},
        "Automated": False,
        "Locked": True,
        "Ignore": False,
        "Policies": {"locked": "true", "ignore": "sync_only", "automated": "true"},
    }  # fmt: skip
