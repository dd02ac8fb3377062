"""`flux-secret install`: what lands in the cluster, what is left alone, where no key stands."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from simulators.installing import FOLDER, IMAGE, OPERATOR, PRIVATE, Administrator, deploy_key
from simulators.world import World

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KINDS = "serviceaccounts,roles,rolebindings,configmaps,secrets,deployments"


@pytest.fixture
def administrator(world: World) -> Administrator:
    return Administrator(world)


def objects(one: Administrator) -> dict[str, dict[str, Any]]:
    """Give everything of the agent's namespace that is not the cluster's own."""
    done = one.world.kubectl(
        "get", KINDS, "-n", one.namespace, "-o", "json", "--show-managed-fields"
    )
    assert done.code == 0, done.err
    return {
        f"{tree['kind']}/{name}": tree
        for tree in json.loads(done.out)["items"]
        if (name := tree["metadata"]["name"]).startswith("flux")
    }


def data(tree: dict[str, Any]) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in tree["data"].items()}


def test_the_agent_is_installed_with_the_keys_of_the_store(administrator: Administrator) -> None:
    done = administrator.install("--apply")
    assert done.code == 0, done.err
    assert f"namespace/{administrator.namespace} created" in done.out
    found = objects(administrator)
    inventory = next(name for name in found if name.startswith("ConfigMap/flux-secret-agent-"))
    assert found.keys() == {
        "ServiceAccount/flux-secret", "Role/flux-secret", "RoleBinding/flux-secret",
        "ConfigMap/flux-known-hosts", "ConfigMap/flux-identity", inventory,
        "Secret/flux-gpg-keys", "Secret/flux-ssh-config", "Secret/flux-secret-state",
        "Deployment/flux",
    }  # fmt: skip
    entries = administrator.entries
    assert data(found["Secret/flux-gpg-keys"]) == {"flux.asc": entries["gpg-private-key"]}
    assert data(found["Secret/flux-ssh-config"]) == {"identity": entries["ssh-private-key"]}
    identity = found["ConfigMap/flux-identity"]["data"]
    assert identity["identity.pub"].encode() == entries["ssh-public-key"]
    (container,) = found["Deployment/flux"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    assert "--store=apps=git@github.com:example/secrets" in container["args"]
    application = administrator.world.get("namespace", administrator.world.namespace, "")
    assert application is not None
    assert application["metadata"]["annotations"] == {"fluxcd.io/ignore": "true"}


def test_a_second_run_writes_nothing(administrator: Administrator) -> None:
    administrator.install("--apply")
    before = objects(administrator)
    done = administrator.install("--apply")
    assert done.code == 0, done.err
    assert {line.split()[1] for line in done.out.splitlines()} == {"unchanged"}
    # what controllers write meanwhile is theirs
    assert {name: tree["metadata"].get("generation") for name, tree in before.items()} == {
        name: tree["metadata"].get("generation") for name, tree in objects(administrator).items()
    }
    quiet = [name for name in before if not name.startswith("Deployment/")]
    after = objects(administrator)
    assert [name for name in quiet if before[name] != after[name]] == []


def test_a_dry_run_says_what_would_happen_and_writes_nothing(administrator: Administrator) -> None:
    done = administrator.install("--dry-run")
    assert done.code == 0, done.err
    assert f"namespace/{administrator.namespace} created (dry run)" in done.out
    assert "secret/flux-gpg-keys created (dry run)" in done.out
    assert administrator.world.get("namespace", administrator.namespace, "") is None
    administrator.install("--apply")
    before = objects(administrator)
    done = administrator.install("--dry-run", "--sync-garbage-collection")
    assert (
        "role.rbac.authorization.k8s.io/flux-secret-applications configured (dry run)" in done.out
    )
    assert "deployment.apps/flux configured (dry run)" in done.out
    assert "secret/flux-gpg-keys unchanged" in done.out
    assert objects(administrator).keys() == before.keys()
    role = administrator.world.get("role", "flux-secret-applications")
    assert role is not None
    assert "delete" not in str(role["rules"])


def test_what_somebody_else_made_is_refused_and_left_as_it_is(administrator: Administrator) -> None:
    world = administrator.world
    world.kubectl("create", "namespace", administrator.namespace)
    literal = "--from-literal=flux.asc=of somebody else"
    world.kubectl(
        "create", "secret", "generic", "flux-gpg-keys", literal, "-n", administrator.namespace
    )
    done = administrator.install("--apply")
    assert done.code == 7, done.out + done.err
    assert "secret/flux-gpg-keys failed" in done.out
    assert f"namespace/{administrator.namespace} failed" in done.out
    assert "take it over with --adopt-existing" in done.err
    kept = objects(administrator)["Secret/flux-gpg-keys"]
    assert data(kept) == {"flux.asc": b"of somebody else"}
    done = administrator.install("--apply", "--adopt-existing")
    assert done.code == 0, done.err
    taken = objects(administrator)["Secret/flux-gpg-keys"]
    assert data(taken) == {"flux.asc": administrator.entries["gpg-private-key"]}
    assert taken["metadata"]["uid"] == kept["metadata"]["uid"]


def flux_v1(one: Administrator, name: str, replicas: int) -> str:
    """Make a Deployment of Flux v1, as its stock manifests have it."""
    labels = {"name": "flux"}
    container = {"name": "flux", "image": "docker.io/fluxcd/flux:1.25.4"}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": one.namespace},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }  # fmt: skip
    one.world.kubectl("create", "namespace", one.namespace)
    done = one.world.kubectl("create", "-f", "-", stdin=json.dumps(deployment))
    assert done.code == 0, done.err
    return f"kubectl delete deployment {name} -n {one.namespace}"


@pytest.mark.parametrize(("name", "replicas"), [("flux", 1), ("flux", 0), ("other", 1)])
def test_nothing_is_installed_beside_or_over_flux_v1(
    administrator: Administrator, name: str, replicas: int
) -> None:
    remedy = flux_v1(administrator, name, replicas)
    for how in ("--apply", "--dry-run"):
        done = administrator.install(how, "--adopt-existing")
        assert done.code == 4, done.out + done.err
        assert remedy in done.err
    assert not [name for name in objects(administrator) if name.startswith("Secret/")]
    words = remedy.split()[1:]
    assert administrator.world.kubectl(*words).code == 0
    assert administrator.install("--apply", "--adopt-existing").code == 0


def test_the_store_is_found_where_pass_keeps_it(administrator: Administrator) -> None:
    world = administrator.world
    world.monkeypatch.setenv("PASSWORD_STORE_DIR", str(administrator.store.path))
    shown = world.run("identity", f"--from={FOLDER}")
    assert shown.code == 0, shown.err
    assert shown.out.encode() == administrator.entries["ssh-public-key"]
    done = world.run("identity", f"--from=admin/{FOLDER}")
    assert done.code == 4, done.err
    assert f"there is no entry admin/{FOLDER}/gpg-private-key" in done.err


def kubectl_applies(one: Administrator, private: bytes) -> None:
    """Do what the seed's script did: `kubectl apply`, which keeps a copy of the whole Secret."""
    metadata = {"name": "flux-gpg-keys", "namespace": one.namespace, "annotations": {"team": "ops"}}
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata,
        "data": {"flux.asc": base64.b64encode(private).decode()},
    }  # fmt: skip
    done = one.world.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    assert done.code == 0, done.err
    annotations = objects(one)["Secret/flux-gpg-keys"]["metadata"]["annotations"]
    assert PRIVATE.search(annotations[LAST_APPLIED].encode())


def test_what_kubectl_apply_remembers_of_a_key_is_removed(administrator: Administrator) -> None:
    administrator.world.kubectl("create", "namespace", administrator.namespace)
    kubectl_applies(administrator, administrator.world.gnupg.private_key("person2@example.org"))
    done = administrator.install("--apply", "--adopt-existing")
    assert done.code == 0, done.err
    assert f"{LAST_APPLIED}, which held its values, is removed" in done.out
    found = objects(administrator)["Secret/flux-gpg-keys"]
    assert LAST_APPLIED not in json.dumps(found)
    assert data(found) == {"flux.asc": administrator.entries["gpg-private-key"]}
    done = administrator.install("--apply")
    assert {line.split()[1] for line in done.out.splitlines()} == {"unchanged"}, done.out


def test_also_when_somebody_applies_it_after_us(administrator: Administrator) -> None:
    administrator.install("--apply")
    kubectl_applies(administrator, administrator.world.gnupg.private_key("person2@example.org"))
    done = administrator.install("--dry-run")
    assert "is removed; dry run" in done.out
    assert LAST_APPLIED in str(objects(administrator)["Secret/flux-gpg-keys"])
    done = administrator.install("--apply")
    assert done.code == 0, done.err
    found = objects(administrator)["Secret/flux-gpg-keys"]
    assert LAST_APPLIED not in json.dumps(found)
    assert data(found) == {"flux.asc": administrator.entries["gpg-private-key"]}


def test_a_foreign_secret_keeps_its_annotation(administrator: Administrator) -> None:
    administrator.world.kubectl("create", "namespace", administrator.namespace)
    kubectl_applies(administrator, administrator.world.gnupg.private_key("person2@example.org"))
    before = objects(administrator)["Secret/flux-gpg-keys"]
    assert administrator.install("--apply").code == 7
    assert objects(administrator)["Secret/flux-gpg-keys"] == before


def test_a_right_that_is_granted_no_more_is_removed_and_its_namespace_stays(
    administrator: Administrator,
) -> None:
    world, more = administrator.world, f"{administrator.world.namespace}-more"
    assert administrator.install("--apply", f"--k8s-allow-namespace={more}").code == 0
    assert world.get("role", "flux-secret-applications", more) is not None
    done = administrator.install("--apply")
    assert done.code == 0, done.err
    assert "role.rbac.authorization.k8s.io/flux-secret-applications deleted" in done.out
    assert world.get("role", "flux-secret-applications", more) is None
    assert world.get("rolebinding", "flux-secret-applications", more) is None
    assert world.get("namespace", more, "") is not None
    assert world.get("role", "flux-secret-applications") is not None
    world.kubectl("delete", "namespace", more, "--wait=false")


def test_another_key_in_the_store_makes_other_pods(administrator: Administrator) -> None:
    administrator.install("--apply")
    before = objects(administrator)["Deployment/flux"]
    private, _ = deploy_key(administrator.world.root)
    administrator.keep({"ssh-private-key": private})
    done = administrator.install("--apply")
    assert done.code == 0, done.err
    assert "secret/flux-ssh-config configured" in done.out
    assert "deployment.apps/flux configured" in done.out
    found = objects(administrator)
    assert data(found["Secret/flux-ssh-config"]) == {"identity": private}
    names = [
        tree["spec"]["template"]["metadata"]["annotations"]["flux-secret.io/keys"]
        for tree in (before, found["Deployment/flux"])
    ]
    assert names[0] != names[1]
    fingerprint = administrator.world.gnupg.fingerprint(OPERATOR)
    assert all(name.startswith(f"{fingerprint} SHA256:") for name in names)


def test_a_key_that_the_agent_could_not_use_installs_nothing(administrator: Administrator) -> None:
    world, entries = administrator.world, administrator.entries
    for bad, says in (
        ({"gpg-private-key": entries["gpg-public-key"]}, "gpg-private-key: the file holds no"),
        ({"gpg-private-key": b"not a key\n"}, "gpg-private-key: the file holds no"),
        ({"ssh-private-key": entries["ssh-public-key"]}, "ssh-private-key is not an ssh private"),
        ({"ssh-private-key": entries["gpg-private-key"]}, "ssh-private-key is not an ssh private"),
    ):
        administrator.keep(bad)
        done = administrator.install("--apply")
        assert done.code == 4, done.out + done.err
        assert f"{administrator.folder}/{says}" in done.err
        administrator.keep(entries)
    administrator.store.remove(f"{FOLDER}/ssh-private-key.gpg")
    done = administrator.install("--apply")
    assert done.code == 4
    assert f"there is no entry {administrator.folder}/ssh-private-key" in done.err
    assert world.get("namespace", administrator.namespace, "") is None


def test_a_key_that_was_packed_as_a_file_is_unpacked(administrator: Administrator) -> None:
    private = administrator.entries["ssh-private-key"]
    packed = (
        b'\nContent-Disposition: attachment; filename="identity"\n'
        b"Content-Transfer-Encoding: Base64\n" + base64.b64encode(private) + b"\n"
    )
    administrator.keep({"ssh-private-key": packed})
    assert administrator.install("--apply").code == 0
    found = objects(administrator)["Secret/flux-ssh-config"]
    assert data(found) == {"identity": private}


def test_no_private_key_stands_anywhere_but_in_its_secret(administrator: Administrator) -> None:
    printed = [
        administrator.install(),
        administrator.install("--apply"),
        administrator.install("--dry-run"),
        administrator.world.run("identity", *administrator.keys),
        administrator.world.run("identity", "--gpg", *administrator.keys),
    ]
    assert [one.code for one in printed] == [0] * 5
    assert not any(PRIVATE.search((one.out + one.err).encode()) for one in printed)
    found = objects(administrator)
    holding = {name for name, tree in found.items() if PRIVATE.search(json.dumps(tree).encode())}
    assert holding == {"Secret/flux-gpg-keys", "Secret/flux-ssh-config"}
    for name in holding:
        shown = {key: value for key, value in found[name].items() if key != "data"}
        assert not PRIVATE.search(json.dumps(shown).encode())


def test_printed_manifests_leave_the_secrets_out_and_say_so(administrator: Administrator) -> None:
    done = administrator.install()
    trees = list(yaml.safe_load_all(done.out))
    assert "Secret" not in {tree["kind"] for tree in trees}
    assert done.out.startswith("# The Secrets flux-gpg-keys (flux.asc) and flux-ssh-config")
    assert "whether etcd encrypts Secrets" in done.err
    assert "audit policy" in done.err
    assert administrator.world.get("namespace", administrator.namespace, "") is None


def test_manifests_with_secrets_can_be_piped_into_kubectl(administrator: Administrator) -> None:
    piped = administrator.install("--with-secrets")
    assert piped.code == 0, piped.err
    done = administrator.world.kubectl("apply", "--server-side", "-f", "-", stdin=piped.out)
    assert done.code == 0, done.err
    found = objects(administrator)
    entries = administrator.entries
    assert data(found["Secret/flux-gpg-keys"]) == {"flux.asc": entries["gpg-private-key"]}
    assert LAST_APPLIED not in json.dumps(found)


def test_identity_is_the_same_from_store_files_and_cluster(administrator: Administrator) -> None:
    world = administrator.world
    administrator.install("--apply")
    place = [f"--namespace={administrator.namespace}", f"--kubeconfig={world.kubeconfig}"]
    (world.root / "ssh").write_bytes(administrator.entries["ssh-private-key"])
    files = [f"--git-ssh-key={world.root / 'ssh'}", f"--git-gpg-key-import={world.key}"]
    for extra in ([], ["-l"], ["--gpg"], ["--gpg", "-l"]):
        shown = [world.run("identity", *extra, *how) for how in (administrator.keys, files, place)]
        assert [one.code for one in shown] == [0, 0, 0], shown
        assert len({one.out for one in shown}) == 1
    assert world.run("identity", *place).out.encode() == administrator.entries["ssh-public-key"]
    armored = world.run("identity", "--gpg", *place).out
    fingerprint, _, rest = armored.partition("\n")
    assert fingerprint == world.gnupg.fingerprint(OPERATOR)
    assert rest.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    listed = world.gnupg.gpg("--show-keys", "--with-colons", stdin=armored.encode()).decode()
    assert f":{fingerprint}:" in listed


def test_identity_says_where_to_look_when_nothing_is_installed(
    administrator: Administrator,
) -> None:
    world = administrator.world
    done = world.run("identity", "--namespace=nowhere", f"--kubeconfig={world.kubeconfig}")
    assert done.code == 3
    assert "there is no configmap/flux-identity in namespace nowhere" in done.err
    done = world.run("identity", "--gpg", f"--git-ssh-key={world.key}")
    assert done.code == 4
    assert not PRIVATE.search(done.err.encode())
