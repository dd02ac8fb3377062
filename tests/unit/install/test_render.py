"""Installation → Bundle: what is asked for, in the right namespace, with no right too many."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
import yaml

from flux_secret.cli.agent import agent
from flux_secret.errors import ConfigurationError
from flux_secret.install.installation import Installation
from flux_secret.install.keys import OperatorKeys
from flux_secret.install.printing import printed, printed_with_secrets
from flux_secret.install.render import render
from flux_secret.model.giturl import GitUrl
from flux_secret.model.identity import Identity, OpenPgpPublic, SshPublic
from flux_secret.model.manifest import Bundle
from flux_secret.model.names import StoreName
from flux_secret.model.ownerkey import OwnerKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.store import Anchor
from flux_secret.model.target import Source

PLAIN = Installation(
    image="registry.example.org/flux-secret:1",
    source=Source(GitUrl.parse("git@github.com:example/applications"), "main"),
    paths=("demo/overlay/dev",),
    stores={StoreName("apps"): GitUrl.parse("git@gitlab.com:example/secrets")},
    applications=("dev-demo",),
)
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl flux"
KEYS = OperatorKeys(
    Plaintext(b"the gpg key\n"),
    Plaintext(b"the ssh key\n"),
    Identity(SshPublic.parse(SSH), (OpenPgpPublic("A" * 40, "-----BEGIN PGP PUBLIC…\n"),)),
)


def names(bundle: Bundle) -> list[str]:
    return [f"{one.key.kind}/{one.key.name} {one.key.namespace}".strip() for one in bundle.items]


def body(bundle: Bundle, kind: str, name: str = "") -> dict[str, Any]:
    return next(
        dict(one.manifest.body)
        for one in bundle.items
        if one.key.kind == kind and name in {"", one.key.name}
    )


def container(bundle: Bundle) -> dict[str, Any]:
    return dict(body(bundle, "Deployment")["spec"]["template"]["spec"]["containers"][0])


def rules(bundle: Bundle) -> Iterator[Any]:
    for one in bundle.items:
        if one.key.kind in {"Role", "ClusterRole"}:
            yield from dict[str, Any](one.manifest.body)["rules"]


def test_everything_stands_before_what_needs_it() -> None:
    assert names(render(PLAIN, KEYS)) == [
        "Namespace/flux",
        "ServiceAccount/flux-secret flux",
        "Role/flux-secret flux",
        "RoleBinding/flux-secret flux",
        "ConfigMap/flux-known-hosts flux",
        "NetworkPolicy/flux-secret flux",
        "PodDisruptionBudget/flux-secret flux",
        "Namespace/dev-demo",
        "Role/flux-secret-applications dev-demo",
        "RoleBinding/flux-secret-applications dev-demo",
        "ConfigMap/flux-identity flux",
        "Secret/flux-gpg-keys flux",
        "Secret/flux-ssh-config flux",
        "Deployment/flux flux",
    ]


def test_without_keys_nothing_tells_of_them() -> None:
    bundle = render(PLAIN)
    assert not {"Secret/flux-gpg-keys flux", "ConfigMap/flux-identity flux"} & {*names(bundle)}
    assert "annotations" not in body(bundle, "Deployment")["spec"]["template"]["metadata"]


def test_the_agent_is_started_as_the_walkthrough_starts_it() -> None:
    everything = replace(
        PLAIN, git_user="flux", git_email="flux@example.org", git_readonly=True,
        garbage_collection=True, applications=("dev-demo", "shop"),
    )  # fmt: skip
    bundle = render(everything)
    assert container(bundle)["args"] == [
        "--git-url=git@github.com:example/applications",
        "--git-branch=main",
        "--git-path=demo/overlay/dev",
        "--manifest-generation=true",
        "--git-user=flux",
        "--git-email=flux@example.org",
        "--store=apps=git@gitlab.com:example/secrets",
        "--k8s-allow-namespace=dev-demo,shop",
    ]
    added = {one["name"]: one.get("value") for one in container(bundle)["env"]}
    assert added["FLUX_SECRET_SYNC_GARBAGE_COLLECTION"] == "true"
    assert added["FLUX_SECRET_GIT_READONLY"] == "true"
    assert added["FLUX_SECRET_K8S_SECRET_NAME"] == "flux-ssh-config"
    assert container(bundle)["image"] == PLAIN.image
    assert not any(
        "git-path" in word for word in container(render(replace(PLAIN, paths=("",))))["args"]
    )


def test_kubernetes_expands_nothing_in_an_argument() -> None:
    bundle = render(replace(PLAIN, paths=("a$(HOME)b",)))
    assert "--git-path=a$$(HOME)b" in container(bundle)["args"]


def test_another_namespace_is_another_one_everywhere() -> None:
    bundle = render(replace(PLAIN, namespace="ops", applications=()), KEYS)
    assert {one.key.namespace for one in bundle.items} == {"ops", ""}
    assert "Namespace/ops" in names(bundle)
    assert "ClusterRole/flux-secret-applications-ops" in names(bundle)
    binding = body(bundle, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "flux-secret-applications-ops"
    subjects = [
        subject
        for one in bundle.items
        for subject in dict[str, Any](one.manifest.body).get("subjects", ())
    ]
    assert {subject["namespace"] for subject in subjects} == {"ops"}


def test_no_right_is_a_star_and_delete_comes_with_garbage_collection_only() -> None:
    for one in (PLAIN, replace(PLAIN, applications=()), replace(PLAIN, git_readonly=True)):
        text = json.dumps(list(rules(render(one))))
        assert "*" not in text
        assert "secrets" in text
        own = body(render(one), "Role", "flux-secret")["rules"]
        applications = [rule for rule in rules(render(one)) if rule not in own]
        assert "delete" not in json.dumps(applications)
        collecting = render(replace(one, garbage_collection=True))
        deleting = [rule for rule in rules(collecting) if "delete" in rule["verbs"]]
        assert len(deleting) == 3


def test_with_custom_resources_alone_no_right_on_applications_is_granted_here() -> None:
    alone = replace(
        PLAIN, source=None, paths=(), applications=(), custom_resources=True, rights_apart=True,
        namespace="ops",
    )  # fmt: skip
    bundle = render(alone)
    added = {*names(bundle)} - {*names(render(replace(alone, custom_resources=False)))}
    kinds = ("apps", "stores", "storesecrets")
    assert added == {
        *(f"CustomResourceDefinition/{kind}.flux-secret.io" for kind in kinds),
        "ClusterRole/flux-secret-resources-ops",
        "ClusterRoleBinding/flux-secret-resources-ops",
        "Role/flux-secret-resources ops",
        "RoleBinding/flux-secret-resources ops",
    }
    assert not any("applications" in name for name in names(bundle))
    assert "*" not in json.dumps(list(rules(bundle)))
    assert body(bundle, "ClusterRoleBinding")["subjects"][0]["namespace"] == "ops"
    assert not any("git-" in word for word in container(bundle)["args"])
    added_env = {one["name"]: one.get("value") for one in container(bundle)["env"]}
    assert added_env["FLUX_SECRET_CUSTOM_RESOURCES"] == "true"


def test_only_a_read_only_agent_may_patch_a_secret_of_its_own() -> None:
    for readonly in (False, True):
        own = body(render(replace(PLAIN, git_readonly=readonly)), "Role", "flux-secret")["rules"]
        patching = [rule["resourceNames"] for rule in own if "patch" in rule["verbs"]]
        assert patching == ([["flux-ssh-config"]] if readonly else [])


def test_rendering_twice_gives_the_same() -> None:
    one = replace(PLAIN, garbage_collection=True, git_readonly=True)
    assert render(one, KEYS) == render(one, KEYS)


def test_a_host_that_the_agent_would_refuse_is_refused_here() -> None:
    other = replace(PLAIN, stores={StoreName("a"): GitUrl.parse("ssh://git@host.example:2222/s")})
    with pytest.raises(ConfigurationError, match=r"no host key of \[host.example\]:2222") as caught:
        render(other)
    assert "ssh-keyscan -p 2222 host.example > known_hosts" in caught.value.remedy
    known = "[host.example]:2222,github.com ssh-ed25519 AAAA\n"
    bundle = render(replace(other, known_hosts=known))
    assert body(bundle, "ConfigMap")["data"]["known_hosts"] == known


def test_other_keys_give_the_pods_another_annotation() -> None:
    def annotation(keys: OperatorKeys) -> str:
        template = body(render(PLAIN, keys), "Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"]["flux-secret.io/keys"])

    assert annotation(KEYS) == f"{'A' * 40} SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
    other = replace(KEYS, identity=Identity(KEYS.identity.ssh, (OpenPgpPublic("B" * 40, "…"),)))
    assert annotation(other) != annotation(KEYS)


def test_what_is_printed_is_what_is_applied_but_for_the_secrets() -> None:
    bundle = render(PLAIN, KEYS)
    text = printed(bundle)
    assert "the gpg key" not in text
    assert base64.b64encode(b"the gpg key\n").decode() not in text
    assert "left out" in text
    shown = list(yaml.safe_load_all(text))
    assert shown == [one.manifest.body for one in bundle.items if one.key.kind != "Secret"]


def test_with_secrets_the_whole_is_one_plaintext() -> None:
    bundle = render(PLAIN, KEYS)
    whole = printed_with_secrets(bundle)
    assert str(whole) == "***"
    trees = {tree["metadata"]["name"]: tree for tree in yaml.safe_load_all(whole.reveal())}
    assert len(list(yaml.safe_load_all(whole.reveal()))) == len(bundle.items)
    assert trees["flux-gpg-keys"]["data"] == {
        "flux.asc": base64.b64encode(b"the gpg key\n").decode()
    }


def test_the_host_keys_that_everybody_gets_have_the_published_fingerprints() -> None:
    text = (files("flux_secret.install") / "manifests/base/known-hosts.yaml").read_text()
    stated = dict(re.findall(r"^#   (\S+) +SHA256:(\S+)$", text, re.MULTILINE))
    lines = yaml.safe_load(text)["data"]["known_hosts"].splitlines()
    found = {
        line.partition(" ")[0]: SshPublic.parse(line.partition(" ")[2]).sha256 for line in lines
    }
    assert found == stated
    assert found.keys() == {"github.com", "gitlab.com", "bitbucket.org"}


ALICE = OwnerKey.parse(f"openpgp:{'A' * 40}")
OWNED = replace(
    PLAIN,
    anchors={StoreName("apps"): Anchor("1" * 40), StoreName("a/b@c"): Anchor(keys=(ALICE,))},
    cluster_name="prod",
    record_git_url=GitUrl.parse("git@github.com:example/record"),
    record_keep="512Mi",
)


def test_the_agent_is_told_whose_word_counts_and_where_its_record_goes() -> None:
    bundle = render(OWNED)
    said = set(container(bundle)["args"])
    assert said > {
        f"--store-anchor=apps={'1' * 40}", "--store-owner-keys=a/b@c=/etc/fluxd/owners/owners-0",
        "--cluster-name=prod", "--record-git-url=git@github.com:example/record",
        "--record-keep=512Mi",
    }  # fmt: skip
    parsed = agent.make_context("agent", list(container(bundle)["args"])).params
    assert parsed["store_owner_keys"] == ("a/b@c=/etc/fluxd/owners/owners-0",)
    assert body(bundle, "ConfigMap", "flux-owner-keys")["data"] == {"owners-0": f"{ALICE}\n"}
    spec = body(bundle, "Deployment")["spec"]["template"]["spec"]
    assert {"name": "owners", "configMap": {"name": "flux-owner-keys"}} in spec["volumes"]
    mounted = {one["name"]: one for one in container(bundle)["volumeMounts"]}["owners"]
    assert (mounted["mountPath"], mounted["readOnly"]) == ("/etc/fluxd/owners", True)
    order = names(bundle)
    assert order.index("ConfigMap/flux-owner-keys flux") < order.index("Deployment/flux flux")


def test_other_owner_keys_make_other_pods_beside_the_agents_own() -> None:
    def notes(*keys: OwnerKey) -> Mapping[str, str]:
        anchors = {StoreName("apps"): Anchor(keys=keys)} if keys else {}
        template = body(render(replace(PLAIN, anchors=anchors), KEYS), "Deployment")
        found: Mapping[str, str] = template["spec"]["template"]["metadata"]["annotations"]
        return found

    bob = OwnerKey.parse(f"openpgp:{'B' * 40}")
    assert notes(ALICE).keys() == {"flux-secret.io/keys", "flux-secret.io/owner-keys"}
    assert notes(ALICE) != notes(ALICE, bob)
    assert notes().keys() == {"flux-secret.io/keys"}


def test_a_host_that_only_the_record_goes_to_has_to_be_known() -> None:
    url = GitUrl.parse("git@record.example.org:r")
    with pytest.raises(ConfigurationError, match=r"no host key of record\.example\.org is known"):
        render(replace(PLAIN, record_git_url=url))
