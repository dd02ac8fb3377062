"""Who may read Secrets, as we read Roles and bindings, is what the API server itself answers."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from cluster.conftest import Kubectl
from cluster.control_plane import ControlPlane
from cluster.test_rights import until
from flux_secret.access.assemble import Facts, assemble
from flux_secret.access.graph import Kind, Node
from flux_secret.access.rbac import READING, Grant, Rights, Subject, grants, through_pods
from flux_secret.cli.main import main

Tree = dict[str, Any]
_numbers = itertools.count()
RBAC = "rbac.authorization.k8s.io"
NAMES = ("db", "api")


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


class Place:
    """Two namespaces with two Secrets each, and rights of every shape."""

    def __init__(self, kubectl: Kubectl, kubeconfig: Path) -> None:
        self.mark = f"access-{os.getpid()}-{next(_numbers)}"
        self.kubectl, self.kubeconfig = kubectl, kubeconfig
        self.one, self.two = f"{self.mark}-one", f"{self.mark}-two"
        self.trees = [*self._objects()]

    def user(self, name: str) -> Tree:
        return {"kind": "User", "name": f"{self.mark}-{name}", "apiGroup": RBAC}

    def group(self, name: str) -> Tree:
        return {"kind": "Group", "name": name, "apiGroup": RBAC}

    def account(self, name: str, namespace: str = "") -> Tree:
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace or self.one}

    def _objects(self) -> Iterator[Tree]:
        for namespace in (self.one, self.two):
            yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            for name in NAMES:
                yield self._object("v1", "Secret", name, namespace, stringData={"a": "b"})
            yield self._object("v1", "ServiceAccount", "app", namespace)
        read: Tree = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
        rules: dict[str, Tree] = {
            "named": {**read, "resourceNames": ["db"], "verbs": ["get", "list", "watch"]},
            "lists": {**read, "verbs": ["list"]},
            "patches": {**read, "verbs": ["patch"]},
            "all": {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            "writes": {**read, "verbs": ["create", "update", "delete"]},
            "other": {**read, "apiGroups": ["apps"]},
            "starts": {**read, "resources": ["pods"], "verbs": ["create"]},
            "deploys": {
                "apiGroups": ["apps"],
                "resources": ["deployments"],
                "verbs": ["patch"],
            },
            "enters": {**read, "resources": ["pods/exec"], "verbs": ["create"]},
            "scales": {
                "apiGroups": ["apps"],
                "resources": ["deployments/scale"],
                "verbs": ["patch"],
            },
            "sub": {**read, "resources": ["secrets/status", "configmaps"]},
        }
        for name, rule in rules.items():
            yield from self._role(name, [rule], self.user(name), self.account(name))
        yield from self._role("groups", [read], self.group(f"{self.mark}-devs"))
        yield from self._role("accounts", [read], self.group(f"system:serviceaccounts:{self.two}"))
        yield from self._role("as-user", [read], {
            "kind": "User", "apiGroup": RBAC, "name": f"system:serviceaccount:{self.two}:spelled",
        })  # fmt: skip
        gone = self._binding("gone", "Role", "absent", self.user("gone"), namespace=self.one)
        yield gone
        # ClusterRoles: one bound in a namespace, one everywhere, and one that gathers another
        for name, more in (("part", {"rules": [{**read, "verbs": ["watch"]}]}),
                           ("whole", {"rules": [], "aggregationRule": {"clusterRoleSelectors": [
                               {"matchLabels": {self.mark: "yes"}}]}})):  # fmt: skip
            tree = self._object(f"{RBAC}/v1", "ClusterRole", f"{self.mark}-{name}", "", **more)
            tree["metadata"]["labels"] = {self.mark: "yes"} if name == "part" else {}
            yield tree
        for name, user, namespace in (
            ("part", "within", self.two), ("part", "everywhere", ""), ("whole", "gathers", ""),
        ):  # fmt: skip
            role = f"{self.mark}-{name}"
            yield self._binding(
                f"{self.mark}-{user}", "ClusterRole", role, self.user(user), namespace=namespace
            )

    def _role(self, name: str, rules: list[Tree], *subjects: Tree) -> Iterator[Tree]:
        yield self._object(f"{RBAC}/v1", "Role", name, self.one, rules=rules)
        yield self._binding(name, "Role", name, *subjects, namespace=self.one)

    def _binding(self, name: str, kind: str, role: str, *subjects: Tree, namespace: str) -> Tree:
        reference = {"apiGroup": RBAC, "kind": kind, "name": role}
        made = "RoleBinding" if namespace else "ClusterRoleBinding"
        return self._object(f"{RBAC}/v1", made, name, namespace,
                            roleRef=reference, subjects=[*subjects])  # fmt: skip

    @staticmethod
    def _object(version: str, kind: str, name: str, namespace: str, **more: object) -> Tree:
        where = {"namespace": namespace} if namespace else {}
        metadata = {"name": name, **where}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}

    def apply(self) -> None:
        done = self.kubectl(
            self.kubeconfig,
            "apply",
            "--server-side",
            "-f",
            "-",
            given=yaml.safe_dump_all(self.trees),
        )
        assert done.returncode == 0, done.stderr

    def remove(self) -> None:
        names = [f"{tree['kind']}/{tree['metadata']['name']}" for tree in self.trees
                 if "namespace" not in tree["metadata"]]  # fmt: skip
        self.kubectl(self.kubeconfig, "delete", *names, "--wait=false", "--ignore-not-found")

    def listed(self, resource: str) -> list[Tree]:
        done = self.kubectl(self.kubeconfig, "get", resource, "-A", "-o", "json")
        assert done.returncode == 0, done.stderr
        items: list[Tree] = json.loads(done.stdout)["items"]
        return items

    def can(self, subject: Subject, verb: str, namespace: str, name: str) -> bool:
        """Ask the API server in a subject's name."""
        who = ["--as", subject.username or f"{self.mark}-nobody"]
        who += ["--as-group", subject.name] if subject.kind == "Group" else []
        done = self.kubectl(
            self.kubeconfig, "auth", "can-i", verb, f"secrets/{name}", "-n", namespace, *who
        )
        said = done.stdout.strip().partition(" - ")[0]  # then why not
        assert said in {"yes", "no"}, done.stderr
        return said == "yes"

    def pods(self, subject: Subject) -> set[str]:
        """Ask the API server what a subject may do with pods of the first namespace."""
        asked = {
            ("create", "pods", ""): "start pods",
            ("patch", "deployments.apps", ""): "start pods",
            ("create", "jobs.batch", ""): "start pods",
            ("create", "pods", "exec"): "open a shell in pods",
        }
        who = ["--as", subject.username or f"{self.mark}-nobody"]
        who += ["--as-group", subject.name] if subject.kind == "Group" else []
        found = set()
        for (verb, resource, part), words in asked.items():
            more = [f"--subresource={part}"] if part else []
            done = self.kubectl(
                self.kubeconfig, "auth", "can-i", verb, resource, *more, "-n", self.one, *who
            )
            found |= {words} if done.stdout.startswith("yes") else set()
        return found

    def subjects(self) -> list[Subject]:
        users = [
            "starts", "deploys", "enters", "scales",
            "named", "lists", "patches", "all", "writes", "other", "sub", "gone", "within",
            "everywhere", "gathers", "stranger",
        ]  # fmt: skip
        return [
            *(Subject("User", f"{self.mark}-{name}") for name in users),
            Subject("Group", f"{self.mark}-devs"),
            Subject("Group", "system:masters"),
            Subject("ServiceAccount", f"{self.one}/named"),
            Subject("ServiceAccount", f"{self.two}/named"),
            Subject("ServiceAccount", f"{self.one}/app"),
            Subject("ServiceAccount", f"{self.two}/app"),
            Subject("ServiceAccount", f"{self.two}/spelled"),
        ]


@pytest.fixture
def place(control_plane: Cluster, kubectl: Kubectl) -> Iterator[Place]:
    made = Place(kubectl, control_plane.kubeconfig)
    made.apply()
    try:
        last = Subject("User", f"{made.mark}-gathers")
        until(lambda: made.can(last, "watch", made.one, "db"))  # the controller has gathered
        yield made
    finally:
        made.remove()


def members(subject: Subject) -> set[Subject]:
    """Give the subject and the groups that Kubernetes puts it in."""
    found = {subject, Subject("Group", "system:authenticated")}
    if subject.kind == "ServiceAccount":
        namespace = subject.name.partition("/")[0]
        found.add(Subject("Group", "system:serviceaccounts"))
        found.add(Subject("Group", f"system:serviceaccounts:{namespace}"))
    return found


def ours(found: tuple[Grant, ...], subject: Subject, verb: str, place: tuple[str, str]) -> bool:
    return subject.name == "system:masters" or any(
        verb in grant.verbs and grant.covers(*place) and members(subject) & {*grant.subjects}
        for grant in found
    )


def test_every_answer_is_the_api_servers_own(place: Place) -> None:
    kinds = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    found = grants(Rights(*[place.listed(kind) for kind in kinds]))
    questions = [
        (subject, verb, namespace, name)
        for subject in place.subjects()
        for namespace, name in ((place.one, "db"), (place.one, "api"), (place.two, "db"))
        for verb in READING
    ]
    with ThreadPoolExecutor(4) as pool:
        theirs = list(pool.map(lambda one: place.can(*one), questions))
    differing = [
        (str(subject), verb, namespace, name, is_theirs)
        for (subject, verb, namespace, name), is_theirs in zip(questions, theirs, strict=True)
        if ours(found, subject, verb, (namespace, name)) is not is_theirs
    ]
    assert differing == []
    assert (any(theirs), all(theirs)) == (True, False)


def test_who_may_start_or_enter_pods_is_the_api_servers_own_answer(place: Place) -> None:
    kinds = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    found = through_pods(Rights(*[place.listed(kind) for kind in kinds]))
    for subject in place.subjects():
        if subject.name != "system:masters":
            ours_ = {
                words for grant in found for words in grant.verbs
                if grant.namespace in {"", place.one} and members(subject) & {*grant.subjects}
            }  # fmt: skip
            assert ours_ == place.pods(subject), subject


def test_a_way_leads_to_exactly_those_who_may_read(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    main.main(
        ["access", "graph", "-o", "json", f"--kubeconfig={place.kubeconfig}"],
        standalone_mode=False,
    )
    tree = json.loads(capsys.readouterr().out)
    names = {one["id"]: (one["kind"], one["name"]) for one in tree["nodes"]}
    assert not any("could not" in one for one in tree["unseen"])
    kinds = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    accounts = [
        f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        for one in place.listed("serviceaccounts")
    ]
    secret = f"{place.one}/db"
    graph = assemble(Facts(
        asked=True, secrets=(secret,), accounts=tuple(accounts),
        grants=grants(Rights(*[place.listed(kind) for kind in kinds])),
    ))  # fmt: skip
    reached = {one.node for one in graph.below(Node(Kind.SECRET, secret))}
    words = {"User": Kind.USER, "Group": Kind.GROUP, "ServiceAccount": Kind.ACCOUNT}
    there = [one for one in place.subjects() if one.name != f"{place.two}/named"]  # it is not
    for subject in there:
        may = any(place.can(subject, verb, place.one, "db") for verb in READING)
        assert (Node(words[subject.kind], subject.name) in reached) is may, subject
    assert ("user", f"{place.mark}-everywhere") in names.values()


def test_what_patch_answers_is_the_whole_secret(place: Place) -> None:
    """Why `patch` counts as reading."""
    eve = Subject("User", f"{place.mark}-patches")
    assert not any(place.can(eve, verb, place.one, "db") for verb in ("get", "list", "watch"))
    nothing = Place._object("v1", "Secret", "db", place.one)
    done = place.kubectl(
        place.kubeconfig, "apply", "--server-side", "--field-manager=eve", "-f", "-", "-o", "json",
        "--as", eve.name, given=yaml.safe_dump(nothing),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == {"a": "Yg=="}


def test_what_one_may_not_list_is_said_and_the_rest_is_shown(
    our_control_plane: ControlPlane, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    rights = our_control_plane.kubeconfig_for("nobody")
    main.main(["access", "graph", "-o", "json", f"--kubeconfig={rights}"], standalone_mode=False)
    said = json.loads(capsys.readouterr().out)["unseen"]
    for resource in ("configmaps", "clusterrolebindings", "rolebindings", "pods", "deployments"):
        assert any(resource in one for one in said), (resource, said)
