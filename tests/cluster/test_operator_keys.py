"""A cluster's key is replaced in stores and in the cluster together, on a real API server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from cluster.conftest import Kubectl
from simulators.desk import FOLDER, Desk, a_desk
from simulators.gnupg import home


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


class Site:
    """An administrator, an agent that is installed, and what the cluster has of it."""

    def __init__(self, desk: Desk, kubeconfig: Path, kubectl: Kubectl) -> None:
        self.desk, self.namespace = desk, f"flux-{uuid4().hex[:8]}"
        self._kubeconfig, self._kubectl = kubeconfig, kubectl
        self.where = ("--kubeconfig", str(kubeconfig), "--namespace", self.namespace)
        self.rotate = ("rotate-operator-key", "--cluster", "main", "--from", "team", "--yes",
                       "--apply", *self.where)  # fmt: skip

    def installs(self) -> str:
        words = (
            "--image=registry.example.org/flux-secret:0.1.0", "--all-namespaces",
            "--git-url=git@github.com:example/applications",
            "--store=apps=git@github.com:example/secrets", f"--from=team/{FOLDER}",
        )  # fmt: skip
        return self.desk.me.flux("install", *words, "--apply", *self.where).out.decode()

    def kubectl(self, *words: str) -> str:
        done = self._kubectl(self._kubeconfig, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found = self.kubectl("get", kind, name, "-n", self.namespace, "-o", "json")
        return dict(json.loads(found))

    @property
    def keys(self) -> bytes:
        return base64.b64decode(self.get("secret", "flux-gpg-keys")["data"]["flux.asc"])

    @property
    def prints(self) -> list[str]:
        template = self.get("deployment", "flux")["spec"]["template"]
        return str(template["metadata"]["annotations"]["flux-secret.io/keys"]).split()

    def entry(self, name: str) -> bytes:
        return self.desk.me.flux("store", "show", f"team/{FOLDER}/{name}").out


@pytest.fixture
def site(control_plane: Cluster, kubectl: Kubectl, tmp_path: Path) -> Iterator[Site]:
    with a_desk(tmp_path / "desk") as desk:
        desk.bootstrap("--store", "apps", "--yes")
        site = Site(desk, control_plane.kubeconfig, kubectl)
        yield site
        kubectl(control_plane.kubeconfig, "delete", "namespace", site.namespace, "--wait=false",
                "--ignore-not-found")  # fmt: skip


def test_the_agent_has_both_keys_before_the_old_one_goes_and_the_new_one_after(site: Site) -> None:
    site.installs()
    old, before, labels = site.keys, site.prints, site.get("secret", "flux-gpg-keys")["metadata"]
    assert site.entry("gpg-private-key") == old
    site.desk.me.flux(*site.rotate, "--stop-before-removal")
    assert site.keys == site.entry("gpg-private-key")
    assert site.keys.endswith(old)
    assert site.keys != old
    assert site.prints[1:] == before
    done = site.desk.me.flux(*site.rotate)
    assert b"is ready with the new key alone" in done.out
    assert site.keys == site.entry("gpg-private-key")
    assert old not in site.keys
    assert site.prints[1:] == before[1:]
    assert site.prints[0] != before[0]
    after = site.get("secret", "flux-gpg-keys")["metadata"]
    assert (after["uid"], after["labels"]) == (labels["uid"], labels["labels"])
    assert "annotations" not in after
    with home() as place:
        place.gpg("--import", stdin=site.keys)
        assert site.desk.reads(place, "demo/db") == b"hunter2\n"
    generation = site.get("deployment", "flux")["metadata"]["generation"]
    site.installs()
    assert site.get("deployment", "flux")["metadata"]["generation"] == generation, "no new pods"
    assert {line.split()[1] for line in site.installs().splitlines()} == {"unchanged"}


def test_without_an_agent_nothing_is_changed(site: Site) -> None:
    before = site.desk.admin.commits
    done = site.desk.me.flux(*site.rotate, check=False)
    assert done.code == 3
    assert f"there is no secret/flux-gpg-keys in namespace {site.namespace}" in done.err
    assert site.desk.admin.commits == before
