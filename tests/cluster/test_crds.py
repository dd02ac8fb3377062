"""Our kinds on a real API server: what is bad is refused with a sentence, the rest is admitted."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from cluster.conftest import Kubectl
from flux_secret.model.app import AppName
from flux_secret.model.appspec import parse_app
from flux_secret.model.store import parse_store
from flux_secret.model.storesecret import parse_store_secret
from simulators.documents import BAD, FULL, GOOD, LEAST, UNKNOWN, Tree

DEPLOY = Path(__file__).parents[2] / "deploy"
PLURALS = {"App": "apps", "Store": "stores", "StoreSecret": "storesecrets"}
PLACE = "crds-of-flux-secret"
TRANSITION = "2026-01-02T03:04:05Z"


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    program = Path(str(getattr(control_plane, "kubectl")))  # noqa: B009 -- either kind has it
    person = Kubectl(program, tmp_path_factory.mktemp("home"))

    def call(*arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
        text = json.dumps(given) if given is not None else ""
        return person(control_plane.kubeconfig, *arguments, given=text)

    assert call("create", "namespace", PLACE).returncode == 0
    done = call("apply", "--server-side", "-k", str(DEPLOY / "crds"))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    named = [f"crd/{plural}.flux-secret.io" for plural in PLURALS.values()]
    assert call("wait", "--for=condition=Established", *named).returncode == 0
    yield call
    call("delete", "namespace", PLACE, "--wait=false")


def document(kind: str, spec: Tree, name: str = "demo") -> Tree:
    metadata = {"name": name, "namespace": PLACE}
    return {
        "apiVersion": "flux-secret.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec,
    }  # fmt: skip


def parsed(tree: dict[str, Any]) -> object:
    name = AppName(PLACE, tree["metadata"]["name"])
    if tree["kind"] == "App":
        return parse_app(name, tree["spec"])
    if tree["kind"] == "Store":
        return parse_store(name.name, tree["spec"], "Store")
    return parse_store_secret(name, tree["spec"])


def test_everything_good_is_admitted_and_the_parser_reads_what_became_of_it(run: Run) -> None:
    trees = [document(kind, spec, f"good-{number}") for number, (kind, spec) in enumerate(GOOD)]
    listed = {"apiVersion": "v1", "kind": "List", "items": trees}
    words = ("apply", "--server-side", "--dry-run=server", "-o", "json", "-f", "-")
    done = run(*words, given=listed)
    assert done.returncode == 0, done.stderr
    admitted = json.loads(done.stdout)["items"]
    assert len(admitted) == len(trees)
    for tree, wanted in zip(admitted, trees, strict=True):
        assert parsed(tree) == parsed(wanted)


def test_everything_bad_is_refused_with_a_sentence(run: Run) -> None:
    trees = [document(kind, spec, f"bad-{number}") for number, (kind, spec, _) in enumerate(BAD)]
    # kubectl looks at fields before it sends them: once past that, and once as Flux applies
    for words, unknown in (
        (("create", "--validate=false"), False),
        (("apply", "--server-side", "--validate=false"), True),
    ):
        sent = [one for one in range(len(BAD)) if (BAD[one][2] == UNKNOWN) is unknown]
        listed = {"apiVersion": "v1", "kind": "List", "items": [trees[one] for one in sent]}
        done = run(*words, "--dry-run=server", "-f", "-", given=listed)
        assert done.stdout == ""
        answers = re.findall(r"^.*\bbad-(\d+)\b.*(?:\n\*.*)*", done.stderr, re.MULTILINE)
        assert sorted(map(int, answers)) == sent
        for answer in re.finditer(r"^.*\bbad-(\d+)\b.*(?:\n\*.*)*", done.stderr, re.MULTILINE):
            said = "not declared in schema" if unknown else BAD[int(answer[1])][2]
            assert said in answer[0], BAD[int(answer[1])]


def test_what_is_fixed_in_a_secret_cannot_be_changed(run: Run) -> None:
    made = document("StoreSecret", LEAST["StoreSecret"], "fixed")
    assert run("create", "-f", "-", given=made).returncode == 0
    for change, said in (
        ({"type": "kubernetes.io/tls"}, "a Secret's type cannot be changed"),
        ({"target": {"name": "other"}}, "the Secret's name cannot be changed"),
    ):
        done = run("patch", "fssec/fixed", "-n", PLACE, "--type=merge", "-p",
                   json.dumps({"spec": change}))  # fmt: skip
        assert said in done.stderr
    done = run("patch", "fssec/fixed", "-n", PLACE, "--type=merge", "-p",
               '{"spec": {"interval": "1h"}}')  # fmt: skip
    assert done.returncode == 0, done.stderr


STATUS: Tree = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready", "status": "True", "reason": "ReconciliationSucceeded",
            "message": "4 objects are as they should be", "lastTransitionTime": TRANSITION,
            "observedGeneration": 1,
        }
    ],
}  # fmt: skip
DELIVERED: Tree = {
    "lastAppliedRevision": "main@sha1:0123abc, apps@4567def",
    "lastAttemptedRevision": "main@sha1:0123abc, apps@4567def",
    "lastHandledReconcileAt": "now",
    "failures": 0,
    "rollouts": [
        {
            "kind": "Deployment", "namespace": PLACE, "name": "demo", "secrets": ["demo-secret"],
            "since": TRANSITION, "podsOld": 1, "podsNew": 2, "waitingFor": "its pods",
        }
    ],
}  # fmt: skip
STATUSES: dict[str, Tree] = {
    "App": {**STATUS, **DELIVERED, "objects": 4},
    "Store": {**STATUS, "revision": "4567def"},
    "StoreSecret": {**STATUS, **DELIVERED},
}


@pytest.mark.parametrize("kind", PLURALS)
def test_a_status_is_kept_and_waited_for(run: Run, kind: str) -> None:
    name = f"{PLURALS[kind]}.flux-secret.io/ready-{kind.lower()}"
    made = document(kind, FULL[kind], f"ready-{kind.lower()}")
    assert run("create", "-f", "-", given=made).returncode == 0
    told = json.dumps({"status": STATUSES[kind], "spec": {"suspend": False}})
    words = ("patch", name, "-n", PLACE, "--subresource=status", "--type=merge", "-p", told)
    done = run(*words)
    assert done.returncode == 0, done.stderr
    live = json.loads(run("get", name, "-n", PLACE, "-o", "json").stdout)
    assert live["status"] == STATUSES[kind]
    assert live["spec"]["suspend"] is True, "a status changes no spec"
    assert run("wait", name, "-n", PLACE, "--for=condition=Ready", "--timeout=5s").returncode == 0


COLUMNS = {
    "App": "NAME READY STATUS REVISION AGE SUSPENDED PATH STORES",
    "Store": "NAME URL READY STATUS AGE SUSPENDED REVISION",
    "StoreSecret": "NAME READY STATUS AGE SUSPENDED REVISION",
}
SHORT = {"App": "fsa", "Store": "fss", "StoreSecret": "fssec"}


@pytest.mark.parametrize("kind", PLURALS)
def test_kubectl_shows_and_explains_them(run: Run, kind: str) -> None:
    run("create", "-f", "-", given=document(kind, FULL[kind], "shown"))
    told = json.dumps({"status": STATUSES[kind]})
    run("patch", SHORT[kind], "shown", "-n", PLACE, "--subresource=status", "--type=merge",
        "-p", told)  # fmt: skip
    for name in (f"{PLURALS[kind]}.flux-secret.io", SHORT[kind], "flux-secret", "all"):
        done = run("get", name, "-n", PLACE, "-o", "wide")
        headers = {" ".join(line.split()) for line in done.stdout.splitlines()}
        assert COLUMNS[kind] in headers, done.stdout
        assert re.search(r"shown .*True +4 objects are as they should be", done.stdout)
    explained = run("explain", f"{PLURALS[kind]}.spec", "--recursive", "--api-version",
                    "flux-secret.io/v1alpha1")  # fmt: skip
    for field in FULL[kind]:
        assert re.search(rf"^  {field}\t", explained.stdout, re.MULTILINE), explained.stdout
    one = run(
        "explain", f"{PLURALS[kind]}.status.conditions", "--api-version=flux-secret.io/v1alpha1"
    )
    assert "Ready is always there" in one.stdout
