"""Who can come to a secret: from a key in the store to the pod that mounts it, as delivered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from behaviour.conftest import *  # noqa: F403 -- the cluster
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.world import Done, World

RIGHTS = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: NS}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [demo-secret], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reading, namespace: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
  - {kind: ServiceAccount, name: helper, namespace: NS}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: helper, namespace: NS}
spec:
  selector: {matchLabels: {app: helper}}
  template:
    metadata: {labels: {app: helper}}
    spec:
      serviceAccountName: helper
      containers: [{name: main, image: example.org/helper}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: report, namespace: NS}
spec:
  schedule: "0 0 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          containers:
            - name: main
              image: example.org/report
              envFrom: [{secretRef: {name: demo-secret}}]
"""


@pytest.fixture
def delivered(world: World) -> World:
    world.monkeypatch.setenv("HOME", str(world.root))
    world.monkeypatch.setenv("GNUPGHOME", str(world.gnupg.path))
    done = world.deliver()
    assert done.code == 0, done.err
    made = world.kubectl("apply", "-f", "-", stdin=RIGHTS.replace("NS", world.namespace))
    assert made.code == 0, made.err
    return world


def access(world: World, *words: str) -> Done:
    store = f"--store=apps={world.store.path}"
    return world.run("access", *words, store, f"--kubeconfig={world.kubeconfig}")


def ways(done: Done, group: str) -> dict[str, list[str]]:
    """Give by what can come to it the reasons on the way."""
    assert done.code == 0, done.err
    tree: dict[str, Any] = json.loads(done.out)
    return {f"{one['kind']} {one['name']}": [step["why"] for step in one["way"]]
            for one in tree[group]}  # fmt: skip


def test_who_tells_every_step_from_key_to_pod(delivered: World) -> None:
    found = access(delivered, "who", "apps/demo", "-o", "json")
    place, people, cluster = delivered.namespace, ways(found, "people"), ways(found, "cluster")
    keys = {name for name in people if name.startswith("key ")}
    assert {key[-16:] for key in keys} >= {
        delivered.gnupg.fingerprint(one)[-16:] for one in delivered.readers
    }
    app = next(name for name in cluster if name.startswith("application "))
    assert cluster[app] == ["read by its last delivery"]
    assert cluster[f"secret {place}/demo-secret"] == [f"delivered by {app[12:]}"]
    named = "get of this one by its name"
    assert cluster["user eve"][1] == named
    assert cluster[f"serviceaccount {place}/helper"][1] == named
    helper, report = (
        f"workload {place}/deployment.apps/helper",
        f"workload {place}/cronjob.batch/report",
    )
    assert cluster[helper][-1] == "its pods run as it"
    assert cluster[report][-1] == "its pods use it"
    assert cluster[f"workload {place}/deployment.apps/demo"][-1] == "its pods use it"
    assert "user mallory" not in cluster


def test_what_goes_back_to_the_entry(delivered: World) -> None:
    place = delivered.namespace
    for asked in (
        "eve",
        f"{place}/helper",
        f"{place}/deployment.apps/helper",
        "person1@example.org",
    ):
        shown = access(delivered, "what", asked)
        assert shown.code == 0, shown.err
        assert "entry apps/demo" in shown.out, asked
    app = access(delivered, "what", "demo/overlay/dev")
    assert f"secret {place}/demo-secret" in app.out


def test_a_person_reads_a_table_and_what_was_not_seen(delivered: World) -> None:
    shown = access(delivered, "who", "apps/demo")
    assert "nobody answers for it" in shown.out
    assert re.search(r"^user eve +secret .*demo-secret \[delivered by .*\] → RoleBinding",
                     shown.out, re.MULTILINE)  # fmt: skip
    for gap in ("gopass", "cluster-admins", "nodes", "etcd", "create pods"):
        assert gap in shown.err


def test_the_value_is_nowhere_in_what_is_written(delivered: World) -> None:
    value, _ = delivered.secret()
    texts = [
        access(delivered, *words).out
        for words in (("who", "apps/demo"), ("graph", "-o", "json"), ("what", "eve"))
    ]
    assert all(value.decode().strip() not in text for text in texts)


def test_who_may_read_the_agents_key_can_come_to_what_it_opens(delivered: World) -> None:
    flux = f"{delivered.namespace}-flux"
    for words in (
        ("create", "secret", "generic", "flux-gpg-keys", "--from-literal=a=b", "-n", flux),
        ("create", "role", "r", "--verb=get", "--resource=secrets", "-n", flux),
        ("create", "rolebinding", "r", "--role=r", "--user=keeper", "-n", flux),
    ):
        done = delivered.kubectl(*words)
        assert done.code == 0, done.err
    cluster = ways(access(delivered, "who", "apps/demo", "-o", "json"), "cluster")
    assert cluster["user keeper"][0] == "the key of an agent that opens it"


def test_an_entry_of_a_store_that_is_not_here_is_told(delivered: World) -> None:
    done = delivered.run("access", "graph", "-o", "json", "--kubeconfig", str(delivered.kubeconfig),
                         f"--store=other={delivered.store.path}")  # fmt: skip
    assert done.code == 0, done.err
    said = json.loads(done.out)["findings"]
    assert any("apps/demo is read in the cluster, and lies in no store here" in one for one in said)


def test_an_app_that_the_owners_refuse_is_shown_as_no_reader(delivered: World) -> None:
    key = delivered.gnupg.fingerprint("person1@example.org")
    delivered.store.commit({".flux-secret/owners.yaml": (
        f"version: 1\nowners:\n  ann: {{keys: ['openpgp:{key}']}}\npaths:\n"
        "  demo: {owners: [ann], readers: {apps: ['demo/overlay/*'], clusters: [prod]}}\n"
    )}, "owners")  # fmt: skip
    found = access(delivered, "who", "apps/demo", "-o", "json")
    app = next(name for name in ways(found, "cluster") if name.startswith("application "))
    said = json.loads(found.out)["findings"]
    assert any("nobody said: --cluster-name NAME" in one for one in said)
    named = access(delivered, "who", "apps/demo", "-o", "json", "--cluster-name=prod")
    assert app in ways(named, "cluster")
    assert not any("--cluster-name" in one for one in json.loads(named.out)["findings"])
    other = access(delivered, "who", "apps/demo", "-o", "json", "--cluster-name=test")
    assert app not in ways(other, "cluster")
    assert f"secret {delivered.namespace}/demo-secret" in ways(other, "cluster")
    refused = f"{app[12:]} may not read it any more: its owners let clusters prod read it"
    assert any(one.startswith(refused) for one in json.loads(other.out)["notes"])
    drawn = json.loads(access(delivered, "graph", "-o", "json", "--cluster-name=test").out)
    drawn_so = [one["carries"] for one in drawn["edges"] if one["why"].startswith(refused)]
    assert drawn_so == [False]


def test_without_a_cluster_references_count_as_they_are_written(world: World) -> None:
    world.monkeypatch.setenv("HOME", str(world.root))
    world.ops.commit({"demo/base/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: typed, namespace: dev}\n"
        "stringData:\n  password: ref+gopass://apps/demo#password\n"
    )})  # fmt: skip
    words = ("--no-cluster", f"--store=apps={world.store.path}", f"--manifests={world.ops.path}")
    done = world.run("access", "who", "apps/demo", "-o", "json", *words)
    assert ways(done, "cluster") == {
        "application demo/base": ["written in demo/base/secret.yaml, line 5"],
        "secret dev/typed": ["delivered by demo/base"],
    }
    tree = json.loads(done.out)
    assert any("asks for $APPLICATIONSTORE/demo" in one for one in tree["findings"])
    assert any("it was not asked" in one for one in tree["unseen"])


def test_flags_that_exclude_each_other_and_stores_that_are_not_there_are_told(world: World) -> None:
    both = world.run("access", "graph", "--no-cluster", f"--kubeconfig={world.kubeconfig}")
    assert (both.code, "leave one of them out" in both.err) == (2, True)
    world.monkeypatch.setenv("HOME", str(world.root / "nobody"))
    nothing = world.run("access", "who", "apps/demo", "--no-cluster")
    assert (nothing.code, "there is nothing to look at" in nothing.err) == (2, True)
    nowhere = world.run("access", "graph", "--no-cluster", "--store=apps=/nowhere")
    assert (nowhere.code, "is no folder" in nowhere.err) == (2, True)


def test_a_cluster_that_does_not_answer_is_told_with_the_way_out(world: World) -> None:
    config = world.root / "gone.yaml"
    config.write_text(
        re.sub(r"server: .*", "server: http://127.0.0.1:1", world.kubeconfig.read_text())
    )
    done = world.run(
        "access", "graph", f"--kubeconfig={config}", f"--store=apps={world.store.path}"
    )
    assert (done.code, "--no-cluster" in done.err) == (5, True), done.err


def test_who_may_start_pods_is_counted_when_it_is_asked_for(delivered: World) -> None:
    place = delivered.namespace
    for words in (
        ("create", "role", "starts", "--verb=create", "--resource=pods", "-n", place),
        ("create", "rolebinding", "starts", "--role=starts", "--user=starter", "-n", place),
    ):
        done = delivered.kubectl(*words)
        assert done.code == 0, done.err
    without = access(delivered, "who", "apps/demo", "-o", "json")
    assert "user starter" not in ways(without, "cluster")
    assert any("--through-pods" in one for one in json.loads(without.out)["unseen"])
    counted = access(delivered, "who", "apps/demo", "--through-pods", "-o", "json")
    assert "may start pods that use them" in ways(counted, "cluster")["user starter"]
    assert not any("--through-pods" in one for one in json.loads(counted.out)["unseen"])
