"""Installation → Bundle, pure: the packaged manifests with a person's decisions put in.

`deploy/base` and its neighbours are the same files, so an overlay of kustomize gives the same
objects (tests/system/test_deploy.py compares them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, TypeAlias

import yaml

from flux_secret.errors import ConfigurationError
from flux_secret.install.hosts import unknown_hosts
from flux_secret.install.installation import Installation
from flux_secret.install.keys import OperatorKeys
from flux_secret.model.manifest import Bundle, BundleItem, Manifest, Origin
from flux_secret.model.names import ObjectKey, StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Source

Tree: TypeAlias = "dict[str, Any]"

GPG_SECRET: Final = "flux-gpg-keys"  # noqa: S105 -- the walkthrough's names
SSH_SECRET: Final = "flux-ssh-config"  # noqa: S105 -- the same
IDENTITY: Final = "flux-identity"
SSH_PUBLIC: Final = "identity.pub"
GPG_PUBLIC: Final = "flux.pub.asc"
RECORD_CLAIM: Final = "flux-record"
OWNER_KEYS: Final = "flux-owner-keys"
"""What holds the public keys of `--store-owner-keys`."""
_RECORD_VOLUME: Final = "/var/lib/flux-secret"
_OWNERS_VOLUME: Final = "/etc/fluxd/owners"
KEYS_ANNOTATION: Final = "flux-secret.io/keys"
"""On the pods: which keys they hold, so that other keys make other pods."""
OWNERS_ANNOTATION: Final = "flux-secret.io/owner-keys"
"""On the pods: a digest of whom they trust, for the same reason."""
_LABELS: Final = {"app.kubernetes.io/name": "flux-secret"}
_RIGHTS: Final = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
_SUFFIX: Final = "-flux"  # of what is the whole cluster's
_MANIFESTS: Final = files("flux_secret.install") / "manifests"


def render(installation: Installation, keys: OperatorKeys | None = None) -> Bundle:
    """Give every object, each before those that need it.

    Without `keys` the two Secrets and what tells of them are left out. Raises `ConfigurationError`
    when the agent would know a git host by no key.
    """
    trees = [*_base(installation), *_applications(installation)]
    if installation.custom_resources:
        trees += [*_custom_resources(installation)]
    if installation.record_storage:
        trees += [*_record(installation)]
    if _owner_keys(installation):
        trees.append(_owners(installation))
    if keys is not None:
        trees += [_identity(installation, keys), *_secrets(installation)]
    deployment = next(tree for tree in trees if tree["kind"] == "Deployment")
    trees.remove(deployment)
    trees.append(_deployment(deployment, installation, keys))
    values = _values(keys) if keys is not None else {}
    return Bundle(tuple(_item(tree, values.get(tree["metadata"]["name"], {})) for tree in trees))


def _base(installation: Installation) -> Iterator[Tree]:
    for tree in _load("base"):
        _move(tree, installation.namespace, installation.namespace)
        if tree["kind"] == "ConfigMap":
            known = installation.known_hosts or tree["data"]["known_hosts"]
            _check_hosts(known, installation)
            tree["data"]["known_hosts"] = known
        if tree["kind"] == "Role" and installation.git_readonly:
            # manifests/git-readonly
            marker = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SSH_SECRET]}
            tree["rules"].append({**marker, "verbs": ["get", "patch"]})
        yield tree


def own_rights(namespace: str, *, custom_resources: bool) -> Iterator[Tree]:
    """Give what an agent needs for itself, whatever it delivers."""
    for tree in (*_load("base"), *(_load("custom-resources") if custom_resources else ())):
        if tree["kind"] in _RIGHTS:
            _move(tree, namespace, namespace)
            yield tree


def _applications(installation: Installation) -> Iterator[Tree]:
    for namespace in installation.applications:
        yield from _granted(_load("applications"), namespace, installation)
    if not installation.applications and not installation.rights_apart:
        yield from _granted(_load("everywhere"), "", installation)


def _custom_resources(installation: Installation) -> Iterator[Tree]:
    for tree in _load("custom-resources"):
        if tree["kind"] != "CustomResourceDefinition":
            _move(tree, installation.namespace, installation.namespace)
        yield tree


def _record(installation: Installation) -> Iterator[Tree]:
    for tree in _load("record"):
        _move(tree, installation.namespace, installation.namespace)
        tree["spec"]["resources"]["requests"]["storage"] = installation.record_storage
        yield tree


def _granted(trees: Iterator[Tree], namespace: str, installation: Installation) -> Iterator[Tree]:
    for tree in trees:
        _move(tree, namespace, installation.namespace)
        for rule in tree.get("rules", ()):
            if installation.garbage_collection and "patch" in rule["verbs"]:
                rule["verbs"].append("delete")  # manifests/garbage-collection
        yield tree


def _move(tree: Tree, namespace: str, agent: str) -> None:
    """Put an object into its namespace; one of the whole cluster is named after the agent's."""
    metadata = tree["metadata"]
    if tree["kind"] == "Namespace":
        metadata["name"] = namespace
    elif "namespace" in metadata:
        metadata["namespace"] = namespace
    else:
        name = f"{metadata['name'].removesuffix(_SUFFIX)}-{agent}"
        metadata["name"] = name
        if "roleRef" in tree:
            tree["roleRef"]["name"] = name
    for subject in tree.get("subjects", ()):
        subject["namespace"] = agent


def _deployment(tree: Tree, installation: Installation, keys: OperatorKeys | None) -> Tree:
    template = tree["spec"]["template"]
    (container,) = template["spec"]["containers"]
    container["image"] = installation.image
    container["args"] = [word.replace("$(", "$$(") for word in _arguments(installation)]
    container["env"] += [
        {"name": f"FLUX_SECRET_{name}", "value": value}
        for name, value in _environment(installation).items()
    ]
    if installation.record_storage:  # manifests/record
        volume = {"name": "record", "persistentVolumeClaim": {"claimName": RECORD_CLAIM}}
        template["spec"]["volumes"].append(volume)
        container["volumeMounts"].append({"name": "record", "mountPath": _RECORD_VOLUME})
    if trusted := _owner_keys(installation):
        volume = {"name": "owners", "configMap": {"name": OWNER_KEYS}}
        template["spec"]["volumes"].append(volume)
        mount = {"name": "owners", "mountPath": _OWNERS_VOLUME, "readOnly": True}
        container["volumeMounts"].append(mount)
    if notes := {**_which_keys(keys), **_which_owners(trusted)}:
        template["metadata"]["annotations"] = notes
    return tree


def _which_keys(keys: OperatorKeys | None) -> Mapping[str, str]:
    if keys is None or keys.identity.ssh is None:
        return {}
    names = [one.fingerprint for one in keys.identity.openpgp]
    return {KEYS_ANNOTATION: " ".join([*names, f"SHA256:{keys.identity.ssh.sha256}"])}


def _which_owners(trusted: Mapping[StoreName, tuple[str, str]]) -> Mapping[str, str]:
    if not trusted:
        return {}
    said = "".join(f"{name}\n{text}" for name, (_, text) in trusted.items())
    return {OWNERS_ANNOTATION: f"SHA256:{hashlib.sha256(said.encode()).hexdigest()}"}


def _owner_keys(installation: Installation) -> Mapping[StoreName, tuple[str, str]]:
    """Give the file of each store's trusted keys, and what is in it."""
    named = {name: one.keys for name, one in installation.anchors.items() if one.keys}
    return {  # a store's name may have letters that no file of a ConfigMap may have
        name: (f"owners-{number}", "".join(f"{key}\n" for key in keys))
        for number, (name, keys) in enumerate(sorted(named.items(), key=lambda one: str(one[0])))
    }


def _owners(installation: Installation) -> Tree:
    metadata = {"name": OWNER_KEYS, "namespace": installation.namespace, "labels": dict(_LABELS)}
    data = dict(_owner_keys(installation).values())
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _arguments(installation: Installation) -> Iterator[str]:
    """Give Flux v1's flags, as the walkthrough's Deployment has them, and ours."""
    if installation.source is not None:
        yield from _delivers(installation.source, installation.paths)
    if installation.git_user is not None:
        yield f"--git-user={installation.git_user}"
    if installation.git_email is not None:
        yield f"--git-email={installation.git_email}"
    for name, url in installation.stores.items():
        yield f"--store={name}={url}"
    yield from _trusts(installation)
    if installation.record_git_url is not None:
        yield f"--record-git-url={installation.record_git_url}"
    if installation.record_keep:
        yield f"--record-keep={installation.record_keep}"
    if installation.applications:
        yield f"--k8s-allow-namespace={','.join(installation.applications)}"


def _delivers(source: Source, folders: Sequence[str]) -> Iterator[str]:
    yield f"--git-url={source.url}"
    yield f"--git-branch={source.branch}"
    if paths := [path for path in folders if path]:
        yield f"--git-path={','.join(paths)}"
    yield "--manifest-generation=true"


def _trusts(installation: Installation) -> Iterator[str]:
    """Give the flags about owners."""
    for name, anchor in installation.anchors.items():
        if anchor.commit:
            yield f"--store-anchor={name}={anchor.commit}"
    for name, (file, _) in _owner_keys(installation).items():
        yield f"--store-owner-keys={name}={_OWNERS_VOLUME}/{file}"
    if installation.cluster_name:
        yield f"--cluster-name={installation.cluster_name}"


def _environment(installation: Installation) -> Mapping[str, str]:
    """Give what kustomize's components set: a patch of an overlay replaces all arguments."""
    collects, readonly = installation.garbage_collection, installation.git_readonly
    return {
        **({"SYNC_GARBAGE_COLLECTION": "true"} if collects else {}),
        **({"GIT_READONLY": "true", "K8S_SECRET_NAME": SSH_SECRET} if readonly else {}),
        **({"CUSTOM_RESOURCES": "true"} if installation.custom_resources else {}),
        **({"RECORD_DIR": f"{_RECORD_VOLUME}/record"} if installation.record_storage else {}),
    }


def _secrets(installation: Installation) -> Iterator[Tree]:
    for name in (GPG_SECRET, SSH_SECRET):
        metadata = {"name": name, "namespace": installation.namespace, "labels": dict(_LABELS)}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}


def _values(keys: OperatorKeys) -> Mapping[str, Mapping[str, Plaintext]]:
    return {GPG_SECRET: {"flux.asc": keys.gpg}, SSH_SECRET: {"identity": keys.ssh}}


def _identity(installation: Installation, keys: OperatorKeys) -> Tree:
    """Give what `flux-secret identity --cluster` reads."""
    metadata = {"name": IDENTITY, "namespace": installation.namespace, "labels": dict(_LABELS)}
    data = {
        SSH_PUBLIC: f"{keys.identity.ssh}\n",
        GPG_PUBLIC: "".join(one.armored for one in keys.identity.openpgp),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _check_hosts(known_hosts: str, installation: Installation) -> None:
    source = [installation.source.url] if installation.source is not None else []
    record = [installation.record_git_url] if installation.record_git_url is not None else []
    urls = [*source, *installation.stores.values(), *record]
    if unknown := unknown_hosts(known_hosts, urls):
        name = unknown[0]
        host, _, port = name.lstrip("[").partition("]:")
        scan = f"ssh-keyscan {f'-p {port} ' if port else ''}{host}"
        raise ConfigurationError(
            f"no host key of {name} is known, so the agent would refuse to talk to it",
            remedy=f"{scan} > known_hosts, compare it with what the host publishes, then "
            "--git-known-hosts known_hosts",
        )


def _load(folder: str) -> Iterator[Tree]:
    listed = yaml.safe_load((_MANIFESTS / folder / "kustomization.yaml").read_text())
    for name in listed["resources"]:
        if name.startswith("../"):
            yield from _load(name.removeprefix("../"))
            continue
        yield from yaml.safe_load_all((_MANIFESTS / folder / name).read_text())


def _item(tree: Tree, values: Mapping[str, Plaintext]) -> BundleItem:
    metadata = tree["metadata"]
    group = tree["apiVersion"].rpartition("/")[0]
    key = ObjectKey(group, tree["kind"], metadata.get("namespace", ""), metadata["name"])
    return BundleItem(
        Manifest(key, tree["apiVersion"], tree, Origin("flux-secret install")), values
    )
