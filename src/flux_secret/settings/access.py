"""Flags of `flux-secret access who|what|graph` → which stores, cluster and manifests are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.errors import UsageError
from flux_secret.model.names import StoreName
from flux_secret.settings.environment import find_kubeconfig, whole_environment
from flux_secret.settings.groups import ClusterSettings
from flux_secret.settings.person import PersonSettings


@dataclass(frozen=True, slots=True)
class AccessFlags:
    """What was given on the command line."""

    store: tuple[str, ...] = ()
    """`NAME`, or `NAME=FOLDER`."""
    kubeconfig: Path | None = None
    context: str | None = None
    no_cluster: bool = False
    through_pods: bool = False
    manifests: tuple[Path, ...] = ()
    cluster_name: str = ""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Where to look."""

    person: PersonSettings
    stores: Mapping[str, Path]
    """Mount → clone; the root store under the empty name."""
    cluster: ClusterSettings | None
    """None: no cluster is asked."""
    manifests: tuple[Path, ...] = ()
    """Folders of an application repository, where references are looked for as written."""
    through_pods: bool = False
    """Whether who may start or enter pods is looked at."""
    cluster_name: str = ""
    """How owners' rules name the cluster; empty where nobody said it."""
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, flags: AccessFlags, environ: Mapping[str, str] | None = None) -> AccessSettings:
        """Read flags and environment; raise `UsageError`."""
        environ = whole_environment(environ)
        person = PersonSettings.load(environ)
        stores = _stores(flags.store, person)
        if flags.no_cluster and (flags.kubeconfig or flags.context):
            raise UsageError(
                "--no-cluster asks none, and --kubeconfig or --context name one",
                remedy="leave one of them out",
            )
        cluster = None if flags.no_cluster else _cluster(flags, environ)
        return cls(
            person, stores, cluster, flags.manifests, flags.through_pods, flags.cluster_name,
            dict(environ),
        )  # fmt: skip


def _cluster(flags: AccessFlags, environ: Mapping[str, str]) -> ClusterSettings | None:
    """Give the cluster that kubectl would ask, or a pod's own; None where there is none."""
    kubeconfig = flags.kubeconfig or find_kubeconfig(environ)
    if not kubeconfig and not environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    return ClusterSettings(
        kubeconfig=kubeconfig,
        context=flags.context,
        namespace="",
        adopt_existing=False,
        confirmations=frozenset(),
    )


def _stores(given: Sequence[str], person: PersonSettings) -> Mapping[str, Path]:
    """Read `NAME` of a mounted one, or `NAME=FOLDER`; all that are mounted and there for none."""
    if not given:
        return {name: root for name, root in person.stores.items() if root.is_dir()}
    found: dict[str, Path] = {}
    for one in given:
        name, is_placed, folder = one.partition("=")
        if name:
            StoreName.parse(name)
        if not is_placed and name not in person.stores:
            known = ", ".join(sorted(filter(None, person.stores))) or "none is mounted"
            raise UsageError(
                f"there is no store {ascii(name)[1:-1]}",
                remedy=f"name one: {known}; or where it lies: --store {ascii(name)[1:-1]}=FOLDER",
            )
        root = Path(folder).expanduser() if is_placed else person.stores[name]
        if not root.is_dir():
            raise UsageError(
                f"the store {ascii(one)[1:-1]} is not there: {root} is no folder",
                remedy="name the folder of a clone: --store NAME=FOLDER",
            )
        found[name] = root
    return found
