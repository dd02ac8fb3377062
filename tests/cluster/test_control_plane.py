"""The control plane that the other tests trust: pods run, rights are checked, data survives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol

from cluster.conftest import Kubectl
from cluster.control_plane import ControlPlane
from cluster.people import Rule

NAME = f"control-plane-{os.getpid()}"
APPLICATION = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NAME}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: demo, namespace: {NAME}}}
spec:
  selector: {{matchLabels: {{app: demo}}}}
  template:
    metadata: {{labels: {{app: demo}}}}
    spec: {{containers: [{{name: demo, image: nginx}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: demo-service, namespace: {NAME}}}
spec: {{selector: {{app: demo}}, ports: [{{port: 80}}]}}
"""
PRIVILEGED = """
apiVersion: v1
kind: Pod
metadata: {name: privileged}
spec: {containers: [{name: c, image: nginx, securityContext: {privileged: true}}]}
"""
LIST_CONFIG_MAPS: Rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


def test_the_pod_of_a_deployment_runs(control_plane: Cluster, kubectl: Kubectl) -> None:
    config = control_plane.kubeconfig
    applied = kubectl(config, "apply", "--server-side", "-f-", given=APPLICATION)
    assert applied.stdout.splitlines() == [
        f"namespace/{NAME} serverside-applied",
        "deployment.apps/demo serverside-applied",
        "service/demo-service serverside-applied",
    ], applied.stderr
    rolled = kubectl(config, "-n", NAME, "rollout", "status", "deployment/demo", "--timeout=50s")
    assert rolled.returncode == 0, rolled.stderr
    listed = kubectl(config, "-n", NAME, "get", "pods", "--no-headers").stdout
    assert listed.startswith("demo-")
    assert listed.split()[1:3] == ["1/1", "Running"]
    shown = kubectl(
        config, "-n", NAME, "get", "deployment/demo", "-o=json", "--show-managed-fields"
    )
    managers = {
        (entry["manager"], entry["operation"])
        for entry in json.loads(shown.stdout)["metadata"]["managedFields"]
    }
    assert managers == {("kubectl", "Apply"), ("kube-controller-manager", "Update")}
    gone = kubectl(config, "delete", "namespace", NAME, "--timeout=50s")
    assert gone.returncode == 0, gone.stderr


def test_a_user_without_rights_is_forbidden(
    our_control_plane: ControlPlane, kubectl: Kubectl
) -> None:
    asked = kubectl(our_control_plane.kubeconfig_for("nobody"), "get", "secrets")
    assert asked.returncode == 1
    assert "(Forbidden)" in asked.stderr
    assert 'User "nobody" cannot list resource "secrets"' in asked.stderr


def test_a_service_account_may_do_its_rules_and_no_more(
    our_control_plane: ControlPlane, kubectl: Kubectl
) -> None:
    config = our_control_plane.service_account("reader", [LIST_CONFIG_MAPS])
    assert kubectl(config, "get", "configmaps").returncode == 0
    assert "(Forbidden)" in kubectl(config, "get", "configmaps", "-n=kube-system").stderr
    assert "(Forbidden)" in kubectl(config, "get", "secrets").stderr


def test_a_service_account_may_be_let_in_everywhere(
    our_control_plane: ControlPlane, kubectl: Kubectl
) -> None:
    config = our_control_plane.service_account("everywhere", [LIST_CONFIG_MAPS], everywhere=True)
    assert kubectl(config, "get", "configmaps", "--all-namespaces").returncode == 0


def test_pod_security_is_enforced(control_plane: Cluster, kubectl: Kubectl) -> None:
    name = f"{NAME}-restricted"
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": label},
    }  # fmt: skip
    config = control_plane.kubeconfig
    kubectl(config, "create", "-f-", given=json.dumps(namespace))
    account = ("--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=50s")
    kubectl(config, "wait", *account)  # no pod is admitted without it
    refused = kubectl(
        config, "create", f"--namespace={name}", "--dry-run=server", "-f-", given=PRIVILEGED
    )
    assert 'violates PodSecurity "restricted' in refused.stderr
    kubectl(config, "delete", "namespace", name, "--timeout=50s")


def test_what_was_written_outlives_the_api_server(
    our_control_plane: ControlPlane, kubectl: Kubectl
) -> None:
    config = our_control_plane.kubeconfig
    made = kubectl(config, "create", "configmap", "kept", "--from-literal=key=value")
    assert made.returncode == 0, made.stderr
    our_control_plane.stop_api_server()
    refused = kubectl(config, "get", "configmap", "kept")
    assert "refused" in refused.stderr
    our_control_plane.restart_api_server()
    kept = kubectl(config, "get", "configmap", "kept", "-o=jsonpath={.data.key}")
    assert kept.stdout == "value"


def test_only_their_owner_reads_the_credentials(our_control_plane: ControlPlane) -> None:
    for name in ("admin.kubeconfig", "tokens.csv", "service-account.key"):
        assert (our_control_plane.directory / name).stat().st_mode & 0o777 == 0o600


def test_without_controllers_an_object_stays_as_it_was_written(
    bare_api_server: ControlPlane,
) -> None:
    assert set(bare_api_server.resident_mib()) == {"etcd", "kube-apiserver"}
    assert bare_api_server.administrator.get("/api/v1/nodes")["items"] == []
