"""Flags of `flux-secret install` → what is installed, where, and with whose keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.install.installation import Installation
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.quantity import parse_quantity
from flux_secret.model.store import Anchor
from flux_secret.settings.environment import find_kubeconfig, whole_environment
from flux_secret.settings.flags import Flags
from flux_secret.settings.groups import ClusterSettings
from flux_secret.settings.keyfolder import FORM, KeyFolder, key_folder
from flux_secret.settings.person import PersonSettings
from flux_secret.settings.record import LEAST_KEPT, kept_bytes, record_url
from flux_secret.settings.stores import anchors_of, stores_of
from flux_secret.settings.targets import targets_of

MAX_KNOWN_HOSTS: Final = 256 * 1024  # bytes; a ConfigMap holds at most 1 MiB
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, as Kubernetes
_IMAGE: Final = re.compile(r"[A-Za-z0-9][\w.:/@-]{0,511}", re.ASCII)


@dataclass(frozen=True, slots=True)
class InstallFlags:
    """What a person typed; None or empty where nothing was given."""

    git_url: str | None = None
    git_branch: str = "master"
    git_path: Sequence[str] = ()
    git_user: str | None = None
    git_email: str | None = None
    git_readonly: bool = False
    git_known_hosts: Path | None = None
    sync_garbage_collection: bool = False
    store: Sequence[str] = ()
    k8s_allow_namespace: Sequence[str] = ()
    all_namespaces: bool = False
    custom_resources: bool = False
    record_storage: str = ""
    record_git_url: str | None = None
    record_keep: str = ""
    store_anchor: Sequence[str] = ()
    store_owner_keys: Sequence[str] = ()
    namespace: str = "flux"
    image: str | None = None
    from_: str | None = None
    cluster_name: str | None = None
    store_dir: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    adopt_existing: bool = False
    confirm: Sequence[str] = ()
    apply: bool = False
    """Whether it is sent to the cluster, or only printed."""


@dataclass(frozen=True, slots=True)
class InstallSettings:
    """Everything that one `install` does."""

    installation: Installation
    keys: KeyFolder | None
    """None: the Secrets are left out."""
    person: PersonSettings
    cluster: ClusterSettings
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole environment, for `exec` plugins of a kubeconfig."""

    @classmethod
    def load(cls, flags: InstallFlags, environ: Mapping[str, str] | None = None) -> InstallSettings:
        """Read flags and environment; raise `UsageError` or `ConfigurationError`."""
        environ = whole_environment(environ)
        keys = key_folder(flags.from_, flags.cluster_name, flags.store_dir)
        if flags.apply and keys is None:
            raise UsageError("nothing says which keys the agent gets", remedy=f"--from: {FORM}")
        return cls(
            installation=_installation(flags),
            keys=keys,
            person=PersonSettings.load(environ),
            cluster=ClusterSettings(
                kubeconfig=flags.kubeconfig or (find_kubeconfig(environ) if flags.apply else None),
                context=flags.context,
                namespace=flags.namespace,
                adopt_existing=flags.adopt_existing,
                confirmations=frozenset(flags.confirm),
            ),
            cluster_env=dict(environ),
        )


def _installation(flags: InstallFlags) -> Installation:
    stores = dict(_stores(flags.store))
    by_flags = flags.git_url is not None or not flags.custom_resources
    targets = [*targets_of(_delivery_flags(flags), frozenset(stores), {})] if by_flags else []
    for target in targets:
        _without_password("--git-url", target.source.url)
    if flags.image is None or not _IMAGE.fullmatch(flags.image):
        raise UsageError(
            "the agent's image is not named" if flags.image is None else "that is no image's name",
            remedy="name one that the cluster can pull: --image REGISTRY/flux-secret:VERSION",
        )
    return Installation(
        image=flags.image,
        source=targets[0].source if targets else None,
        paths=tuple(target.path for target in targets),
        stores=stores,
        namespace=_namespace("--namespace", flags.namespace),
        git_user=flags.git_user,
        git_email=flags.git_email,
        git_readonly=flags.git_readonly,
        garbage_collection=flags.sync_garbage_collection,
        applications=_applications(flags),
        custom_resources=flags.custom_resources,
        rights_apart=not by_flags and not flags.all_namespaces,
        record_storage=_storage(flags.record_storage),
        record_git_url=_record_url(flags.record_git_url),
        record_keep=_kept(flags),
        anchors=_anchors(flags, stores),
        cluster_name=flags.cluster_name or "",
        known_hosts=_known_hosts(flags.git_known_hosts),
    )


def _storage(text: str) -> str:
    """Give the size as it was written; empty: there is no volume."""
    if text and parse_quantity(text) < LEAST_KEPT:
        raise UsageError(
            f"--record-storage {text} is too little for a record", remedy="write 1Gi or more"
        )
    return text


def _record_url(text: str | None) -> GitUrl | None:
    if text is None:
        return None
    if "$(" in text:
        raise _password("--record-git-url")
    url = record_url(text)
    _without_password("--record-git-url", url)
    return url


def _kept(flags: InstallFlags) -> str:
    """Give how much is kept as it was written; empty: all."""
    if not flags.record_keep:
        return ""
    size = kept_bytes(flags.record_keep)
    if not flags.record_storage and flags.record_git_url is None:
        raise UsageError(
            "--record-keep bounds a record, and none is kept",
            remedy="say where: --record-storage SIZE, or --record-git-url URL",
        )
    if flags.record_storage and size > parse_quantity(flags.record_storage):
        raise UsageError(
            f"--record-keep {flags.record_keep} does not fit into --record-storage "
            f"{flags.record_storage}",
            remedy="keep less, for each replica, or make the volume larger",
        )
    return flags.record_keep


def _anchors(flags: InstallFlags, stores: Mapping[StoreName, GitUrl]) -> Mapping[StoreName, Anchor]:
    """Read whom the agent trusts about owners, only of stores that it has by flags."""
    found = anchors_of(flags.store_anchor, flags.store_owner_keys)
    if unknown := sorted(map(str, found.keys() - stores.keys())):
        raise UsageError(
            f"there is no --store {unknown[0]} whose owners could be trusted",
            remedy=f"name it: --store {unknown[0]}=URL; of a Store that is an object, it is "
            "spec.owners.anchor",
        )
    return found


def _delivery_flags(flags: InstallFlags) -> Flags:
    """Give them as `deliver` has them, to be read as there."""
    if flags.git_url and "$(" in flags.git_url:
        raise _password("--git-url")
    return Flags(git_url=flags.git_url, git_branch=flags.git_branch, git_path=flags.git_path)


def _stores(texts: Sequence[str]) -> Iterator[tuple[StoreName, GitUrl]]:
    if any("$(" in text for text in texts):
        raise _password("--store")
    for name, url in stores_of(texts, {}):
        _without_password(f"--store {name}", url)
        yield name, url


def _without_password(flag: str, url: GitUrl) -> None:
    if url.login is not None:
        raise _password(flag)


def _password(flag: str) -> UsageError:
    return UsageError(
        f"{flag} holds a user or a password, which everybody who may read Deployments would read",
        remedy="use an ssh address: the deploy key is in a Secret",
    )


def applications_of(flags: InstallFlags) -> tuple[str, ...]:
    """Give the namespaces that are named; raise `UsageError`."""
    parts = [part for text in flags.k8s_allow_namespace for part in text.split(",") if part]
    return tuple(dict.fromkeys(_namespace("--k8s-allow-namespace", part) for part in parts))


def _applications(flags: InstallFlags) -> tuple[str, ...]:
    names = applications_of(flags)
    if flags.namespace in names:
        raise UsageError(
            f"applications may not go to {flags.namespace}, where the agent's own keys are",
            remedy="give them another namespace",
        )
    if flags.custom_resources and flags.git_url is None and not flags.all_namespaces:
        return names
    if bool(names) == flags.all_namespaces:
        raise UsageError(
            "--k8s-allow-namespace and --all-namespaces exclude each other"
            if names
            else "nothing says where applications may go",
            remedy="name each namespace: --k8s-allow-namespace NAMESPACE; or, so that the agent "
            "may read every Secret of the cluster: --all-namespaces",
        )
    return names


def _namespace(flag: str, text: str) -> str:
    if not _NAMESPACE.fullmatch(text):
        raise UsageError(
            f"{flag} {text[:80]!a} is no name of a namespace",
            remedy="use small letters, digits and '-', 63 at most",
        )
    return text


def _known_hosts(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            untrusted = opened.read(MAX_KNOWN_HOSTS + 1)
        text = untrusted.decode("ascii")
    except (OSError, UnicodeDecodeError):
        text, untrusted = "", b""
    if not untrusted.strip() or len(untrusted) > MAX_KNOWN_HOSTS or not _is_printable(text):
        raise ConfigurationError(
            f"--git-known-hosts {file} cannot be read as one, or has nothing in it, or more than "
            f"{MAX_KNOWN_HOSTS} bytes",
            remedy="make one: ssh-keyscan HOST > FILE, and compare it with what the host publishes",
        )
    return text


def _is_printable(text: str) -> bool:
    return all(line.replace("\t", "").isprintable() for line in text.splitlines())
