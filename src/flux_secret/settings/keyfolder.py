"""Flags → which folder of which store holds the operator's keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.names import SecretPath

FORM: Final = "write STORE/technical/k8s/CLUSTER/flux, or --from STORE --cluster-name CLUSTER"


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """The operator's keys in a person's store."""

    path: SecretPath
    """`STORE/technical/k8s/CLUSTER/flux`."""
    directory: Path | None = None
    """That store's clone, where it is none of those that the person has mounted."""


def key_folder(named: str | None, cluster: str | None, directory: Path | None) -> KeyFolder | None:
    """Read `--from`, `--cluster-name` and `--store-dir`; None where the first is not given."""
    if named is None:
        if cluster is not None or directory is not None:
            raise UsageError("nothing says of which store the keys are", remedy=f"--from: {FORM}")
        return None
    path = SecretPath.parse(named)
    if cluster is not None and path.parts[1:] != ("technical", "k8s", cluster, "flux"):
        if len(path.parts) > 1 or "/" in cluster:
            raise UsageError("--from and --cluster-name name two folders", remedy=FORM)
        path = SecretPath.parse(f"{path}/technical/k8s/{cluster}/flux")
    if len(path.parts) == 1:
        raise UsageError(f"--from {path} names a store, but no folder of it", remedy=FORM)
    return KeyFolder(path, directory)
