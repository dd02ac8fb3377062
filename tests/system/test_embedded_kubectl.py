"""The real kubectl, of every version at hand, on the embedded cluster."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flux_secret.embedded import EmbeddedCluster

Tree = dict[str, Any]
SECONDS = 30


def _kubectls() -> list[Path]:
    """Give every kubectl on PATH, and the one that is installed beside Python."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), str(Path(sys.executable).parent)]
    found = (shutil.which("kubectl", path=folder) for folder in folders if folder)
    return list({Path(one).resolve(): Path(one) for one in found if one}.values())


def test_there_is_a_kubectl_to_test_with() -> None:
    assert _kubectls()


class Kubectl:
    def __init__(self, program: Path, kubeconfig: Path, home: Path) -> None:
        self._program = program
        self._env = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            "KUBECACHEDIR": str(home / "cache"),
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._program), *arguments],
            env=self._env, input=stdin, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()

    def json(self, *arguments: str) -> Tree:
        tree: Tree = json.loads(self(*arguments, "-o", "json"))
        return tree

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self._program), *arguments],
            env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster.in_background() as running:
        yield running


@pytest.fixture(params=_kubectls(), ids=str)
def kubectl(request: pytest.FixtureRequest, cluster: EmbeddedCluster, tmp_path: Path) -> Kubectl:
    kubeconfig = cluster.write_kubeconfig(tmp_path / "kubeconfig")
    return Kubectl(request.param, kubeconfig, tmp_path)


MANIFEST = """
apiVersion: v1
kind: Namespace
metadata: {name: dev-demo}
---
apiVersion: v1
kind: Secret
metadata: {name: demo-secret, namespace: dev-demo}
stringData: {demosecret: value}
---
apiVersion: v1
kind: Service
metadata: {name: demo-service, namespace: dev-demo}
spec: {selector: {app: demo}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo, namespace: dev-demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: nginx, image: nginx, ports: [{containerPort: 80}]}]}
"""
DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {size: {type: integer}}}}
"""


@pytest.mark.parametrize("way", ["--server-side", "--server-side=false"])
def test_the_walkthroughs_tables_are_shown(kubectl: Kubectl, way: str) -> None:
    kubectl("apply", way, "-f", "-", stdin=MANIFEST)
    secrets = kubectl("get", "secrets", "-n", "dev-demo").splitlines()
    assert secrets[0].split() == ["NAME", "TYPE", "DATA", "AGE"]
    assert secrets[1].split()[:3] == ["demo-secret", "Opaque", "1"]
    everything = kubectl("get", "all", "-n", "dev-demo")
    assert "service/demo-service" in everything
    assert "deployment.apps/demo" in everything
    assert "0/1" in everything
    wide = kubectl("get", "deploy", "demo", "-n", "dev-demo", "-o", "wide").splitlines()
    assert wide[0].split()[-3:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert wide[1].split()[-3:] == ["nginx", "nginx", "app=demo"]


def test_applying_again_changes_nothing(kubectl: Kubectl, cluster: EmbeddedCluster) -> None:
    for way in ("--server-side=false", "--server-side"):
        kubectl("apply", way, "-f", "-", stdin=MANIFEST)
        revision = cluster.revision
        kubectl("apply", way, "-f", "-", stdin=MANIFEST)
        assert cluster.revision == revision


def test_a_client_side_apply_changes_and_removes(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "ns")
    text = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: c, namespace: ns}\ndata: "
    kubectl("apply", "-f", "-", stdin=text + "{a: '1', b: '2'}\n")
    done = kubectl("apply", "-f", "-", stdin=text + "{a: '3'}\n")
    assert done == "configmap/c configured"
    assert kubectl.json("get", "configmap", "c", "-n", "ns")["data"] == {"a": "3"}


def test_kubectls_own_manager_takes_over_from_its_client_side_apply(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    changed = MANIFEST.replace("image: nginx", "image: nginx:1.27")
    kubectl("apply", "--server-side", "-f", "-", stdin=changed)
    message = kubectl.refused(
        "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=MANIFEST
    )
    assert 'conflict with "kubectl": .spec.template.spec.containers[name="nginx"].image' in message
    kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-",
            stdin=MANIFEST)  # fmt: skip


def test_secrets_are_created_patched_labelled_and_deleted(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "ns")
    kubectl("create", "secret", "generic", "s", "-n", "ns", "--from-literal=a=b")
    assert "already exists" in kubectl.refused("create", "secret", "generic", "s", "-n", "ns")
    kubectl("label", "secret", "s", "-n", "ns", "team=a")
    kubectl("annotate", "secret", "s", "-n", "ns", "note=b")
    kubectl("patch", "secret", "s", "-n", "ns", "-p", '{"stringData":{"c":"d"}}')
    kubectl("patch", "secret", "s", "-n", "ns", "--type=json",
            "-p", '[{"op":"remove","path":"/data/a"}]')  # fmt: skip
    tree = kubectl.json("get", "secret", "s", "-n", "ns")
    assert {key: base64.b64decode(value) for key, value in tree["data"].items()} == {"c": b"d"}
    assert tree["metadata"]["labels"] == {"team": "a"}
    assert kubectl("get", "secrets", "-A", "-l", "team=a", "-o", "name") == "secret/s"
    kubectl("delete", "secret", "s", "-n", "ns")
    assert "not found" in kubectl.refused("get", "secret", "s", "-n", "ns")


def test_a_definition_can_be_waited_for_and_used(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "ns")
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=20s")
    text = "kind: Widget\napiVersion: example.com/v1\nmetadata: {name: w}\nspec: "
    kubectl("apply", "-n", "ns", "-f", "-", stdin=text + "{size: 3}\n")
    message = kubectl.refused("apply", "-n", "ns", "-f", "-", stdin=text + "{colour: red}\n")
    assert 'unknown field "spec.colour"' in message
    lines = kubectl("get", "wd", "-n", "ns").splitlines()
    assert [line.split() for line in lines] == [["NAME", "SIZE"], ["w", "3"]]
    listed = kubectl("api-resources", "--api-group=example.com", "--no-headers")
    assert listed.split() == ["widgets", "wd", "example.com/v1", "true", "Widget"]


def test_a_watch_prints_what_happens(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "ns")
    watch = kubectl.start("get", "configmaps", "-n", "ns", "-w", "-o", "name")
    try:
        assert watch.stdout is not None
        for name in ("one", "two"):
            kubectl("create", "configmap", name, "-n", "ns")
            assert watch.stdout.readline().strip() == f"configmap/{name}"
    finally:
        watch.terminate()
        watch.communicate(timeout=SECONDS)


def test_a_namespace_is_deleted_with_what_is_in_it(
    kubectl: Kubectl, cluster: EmbeddedCluster
) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    kubectl("delete", "namespace", "dev-demo", "--timeout=20s")
    assert cluster.objects("secrets") == cluster.objects("deployments.apps") == []


def test_dry_runs_diffs_and_scale_work(kubectl: Kubectl, cluster: EmbeddedCluster) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    revision = cluster.revision
    changed = MANIFEST.replace("replicas: 1", "replicas: 2")
    kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-",
            stdin=changed)  # fmt: skip
    done = kubectl.run("diff", "-f", "-", stdin=changed)
    assert (done.returncode, "+  replicas: 2" in done.stdout) == (1, True)
    assert cluster.revision == revision
    kubectl("scale", "deploy/demo", "-n", "dev-demo", "--replicas=4")
    assert kubectl.json("get", "deploy", "demo", "-n", "dev-demo")["spec"]["replicas"] == 4


def test_what_is_forbidden_is_refused_in_the_api_servers_words(
    kubectl: Kubectl, cluster: EmbeddedCluster
) -> None:
    cluster.forbid("list", "secrets")
    message = kubectl.refused("get", "secrets")
    assert 'cannot list resource "secrets" in API group "" in the namespace "default"' in message
    assert kubectl.run("auth", "can-i", "list", "secrets").stdout.strip() == "no"
    assert kubectl("auth", "can-i", "list", "configmaps") == "yes"


def test_a_failing_aggregated_api_fails_only_itself(
    kubectl: Kubectl, cluster: EmbeddedCluster
) -> None:
    cluster.break_group("metrics.k8s.io/v1beta1")
    assert "kube-system" in kubectl("get", "namespaces")
    kubectl("create", "namespace", "ns")
    assert "deployments" in kubectl.run("api-resources").stdout
