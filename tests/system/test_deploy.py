"""`deploy`, as people's kustomize builds it, gives the objects that `flux-secret install` makes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from flux_secret.install.installation import Installation
from flux_secret.install.render import render
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Source
from flux_secret.outside.kubectl import find_kubectl

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLE = Installation(
    image="registry.example.org/flux-secret:0.1.0",
    source=Source(GitUrl.parse("git@github.com:example/applications"), "main"),
    paths=("demo/overlay/dev",),
    stores={StoreName("apps"): GitUrl.parse("git@github.com:example/secrets")},
    git_user="flux-operator",
    git_email="flux-operator@example.org",
    garbage_collection=True,
    applications=("dev-demo",),
)
Objects = Mapping[tuple[str, str, str], Any]


def built(folder: Path) -> Objects:
    done = subprocess.run(
        [find_kubectl(os.environ["PATH"]), "kustomize", str(folder)],
        capture_output=True, text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return by_name(list(yaml.safe_load_all(done.stdout)))


def by_name(trees: list[dict[str, Any]]) -> Objects:
    found = {
        (tree["kind"], tree["metadata"].get("namespace", ""), tree["metadata"]["name"]): tree
        for tree in trees
    }
    assert len(found) == len(trees)
    return found


def rendered(installation: Installation) -> Objects:
    return by_name([dict(one.manifest.body) for one in render(installation).items])


def test_the_example_overlay_is_what_the_same_flags_install() -> None:
    assert built(DEPLOY / "overlay/example") == rendered(EXAMPLE)


def test_the_base_has_all_but_what_is_somebodys_own() -> None:
    base = built(DEPLOY / "base")
    whole = rendered(EXAMPLE)
    differing = [key for key in base if base[key] != whole[key]]
    assert differing == [("Deployment", "flux", "flux")]
    template = base[differing[0]]["spec"]["template"]["spec"]
    (container,) = template["containers"]
    assert container["image"] == "registry.invalid/flux-secret", "nobody can offer such an image"
    assert not container["args"]


PLAIN = replace(EXAMPLE, garbage_collection=False, applications=())


@pytest.mark.parametrize(
    ("component", "wanted"),
    [
        ("garbage-collection", replace(PLAIN, garbage_collection=True)),
        ("git-readonly", replace(PLAIN, git_readonly=True)),
        ("custom-resources", replace(PLAIN, custom_resources=True)),
        ("record", replace(PLAIN, record_storage="1Gi")),
    ],
)
def test_a_component_and_its_flag_are_the_same(
    component: str, wanted: Installation, tmp_path: Path
) -> None:
    overlay = DEPLOY / "overlay/example"
    settings = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    patch = yaml.safe_load((overlay / "flux.yaml").read_text())
    arguments = patch["spec"]["template"]["spec"]["containers"][0]["args"]
    arguments.remove("--k8s-allow-namespace=dev-demo")
    (tmp_path / "flux.yaml").write_text(yaml.safe_dump(patch))
    up = os.path.relpath(DEPLOY.resolve(), tmp_path.resolve())
    settings["resources"] = [f"{up}/base", f"{up}/everywhere"]
    settings["components"] = [f"{up}/components/{component}"]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(settings))
    assert built(tmp_path) == rendered(wanted)


@pytest.fixture
def overlaid(tmp_path: Path) -> Callable[..., Objects]:
    def build(*components: str) -> Objects:
        up = os.path.relpath(DEPLOY.resolve(), tmp_path.resolve())
        settings = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [f"{up}/base"], "components": [f"{up}/components/{c}" for c in components],
        }  # fmt: skip
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(settings))
        return built(tmp_path)

    return build


def test_components_that_have_no_flag_change_what_they_say(
    overlaid: Callable[..., Objects],
) -> None:
    base, whole = built(DEPLOY / "base"), overlaid("replicas", "egress", "service-monitor")
    changed = {key for key in base if whole[key] != base[key]}
    deployment, policy = ("Deployment", "flux", "flux"), ("NetworkPolicy", "flux", "flux-secret")
    assert changed == {deployment, policy, ("Role", "flux", "flux-secret")}
    assert whole.keys() - base.keys() == {
        ("Service", "flux", "flux-metrics"), ("ServiceMonitor", "flux", "flux-secret"),
    }  # fmt: skip
    assert whole[deployment]["spec"]["replicas"] == 2
    assert whole[deployment]["spec"]["strategy"]["type"] == "RollingUpdate"
    (container,) = whole[deployment]["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert (env["FLUX_SECRET_LEADER_ELECT"], env["FLUX_SECRET_LISTEN_METRICS"]) == ("true", ":3031")
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == {
        "health": 9440, "metrics": 3031,
    }  # fmt: skip
    ingress = whole[policy]["spec"]["ingress"][0]["ports"]
    assert [one["port"] for one in ingress] == [9440, 3031]
    assert {one["port"] for one in whole[policy]["spec"]["egress"][0]["ports"]} >= {22, 53, 443}
    leases = whole["Role", "flux", "flux-secret"]["rules"][-1]
    assert leases["resources"] == ["leases"]


def test_what_deploy_shows_is_what_the_package_has() -> None:
    package = Path(str(DEPLOY.parent / "src/flux_secret/install/manifests"))
    links = [
        *(DEPLOY / name for name in ("base", "applications", "everywhere", "crds")),
        *sorted((DEPLOY / "components").iterdir()),
    ]
    assert sorted(link.resolve().name for link in links) == sorted(
        folder.name for folder in package.iterdir()
    )
    assert all(link.resolve().parent == package.resolve() for link in links)
