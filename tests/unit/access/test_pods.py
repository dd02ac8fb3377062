"""What runs, as whom, and with which Secrets: read from templates and from pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flux_secret.access.pods import runs
from flux_secret.apply.restart.references import references
from flux_secret.model.access import Runs
from flux_secret.outside.kubernetes import Json

Tree = dict[str, Any]
ENV: Tree = {"containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}


def uses(template: Mapping[str, Json]) -> set[str]:
    return {one.secret for one in references(template)}


def thing(name: str, spec: Tree, **metadata: Any) -> Tree:  # noqa: ANN401 -- metadata of any kind
    return {"metadata": {"name": name, "namespace": "demo", **metadata}, "spec": spec}


def deployment(spec: Tree) -> tuple[str, Tree]:
    return "deployment.apps", thing("shop", {"template": {"spec": spec}})


def only(*workloads: tuple[str, Tree], accounts: tuple[Tree, ...] = ()) -> Runs:
    (found,) = runs(workloads, [], accounts, uses)
    return found


def test_a_workload_is_named_with_its_account_and_secrets() -> None:
    spec = {**ENV, "serviceAccountName": "app", "imagePullSecrets": [{"name": "pull"}]}
    assert only(deployment(spec)) == Runs(
        "deployment.apps/shop", "demo", "app", ("db",), ("pull",), token=True
    )


def test_a_cron_jobs_template_lies_deeper() -> None:
    cron = thing("night", {"jobTemplate": {"spec": {"template": {"spec": ENV}}}})
    found = only(("cronjob.batch", cron))
    assert (found.workload, found.secrets, found.account) == (
        "cronjob.batch/night", ("db",), "default",
    )  # fmt: skip


def test_an_accounts_pull_secrets_count_where_the_pod_names_none() -> None:
    account = {
        "metadata": {"name": "default", "namespace": "demo"},
        "imagePullSecrets": [{"name": "pull"}],
    }
    assert only(deployment(ENV), accounts=(account,)).pulls == ("pull",)
    own = {**ENV, "imagePullSecrets": [{"name": "own"}]}
    assert only(deployment(own), accounts=(account,)).pulls == ("own",)


@pytest.mark.parametrize(
    ("pod", "account", "token"),
    [
        ({}, {}, True),
        ({"automountServiceAccountToken": False}, {}, False),
        ({}, {"automountServiceAccountToken": False}, False),
        (
            {"automountServiceAccountToken": True},
            {"automountServiceAccountToken": False},
            True,
        ),
        (
            {
                "automountServiceAccountToken": False,
                "volumes": [{"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}],
            },
            {},
            True,
        ),
    ],
)
def test_a_pod_has_its_accounts_token_unless_somebody_says_no(
    pod: Tree, account: Tree, token: bool
) -> None:
    held = {"metadata": {"name": "default", "namespace": "demo"}, **account}
    assert only(deployment({**ENV, **pod}), accounts=(held,)).token is token


@pytest.mark.parametrize(
    ("owner", "labels", "name"),
    [
        ({"kind": "ReplicaSet", "name": "shop-ab12"}, {"pod-template-hash": "ab12"},
         "deployment.apps/shop"),
        ({"kind": "ReplicaSet", "name": "alone"}, {}, "pod/shop-x"),
        ({"kind": "StatefulSet", "name": "db"}, {}, "statefulset.apps/db"),
        ({"kind": "Job", "name": "once"}, {}, "job.batch/once"),
        ({"kind": "Odd", "name": "thing"}, {}, "pod/shop-x"),
    ],
)  # fmt: skip
def test_a_pod_counts_for_what_keeps_it(owner: Tree, labels: Tree, name: str) -> None:
    pod = thing("shop-x", ENV, ownerReferences=[owner], labels=labels)
    (found,) = runs([], [pod], [], uses)
    assert found.workload == name


def test_a_secret_that_only_running_pods_still_use_is_seen() -> None:
    new = {"containers": [{"envFrom": [{"secretRef": {"name": "new"}}]}]}
    pod = thing("shop-ab-x", ENV, ownerReferences=[{"kind": "ReplicaSet", "name": "shop-ab"}],
                labels={"pod-template-hash": "ab"})  # fmt: skip
    (found,) = runs([deployment(new)], [pod], [], uses)
    assert found.secrets == ("db", "new")


def test_what_is_no_object_at_all_is_passed_over() -> None:
    assert runs([("deployment.apps", {})], [], [{}], uses)[0].secrets == ()
