"""The flags that say where deliveries are looked for: of `access` and of `offboard`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flux_secret.settings.access import AccessFlags

F = TypeVar("F", bound=Callable[..., Any])
_NAMES: Final = ("kubeconfig", "context", "no_cluster", "manifests")


def delivery_options(command: F) -> F:
    """Add which cluster is asked what it delivers, and which manifests are read for it."""
    for option in reversed((
        click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE",
                     help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own."),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
        click.option("--no-cluster", is_flag=True, help="Look at stores and manifests alone."),
        click.option("--manifests", type=click.Path(exists=True, file_okay=False, path_type=Path),
                     metavar="FOLDER", multiple=True,
                     help="Count references as they are written there, too."),
    )):  # fmt: skip
        command = option(command)
    return command


def looking_flags(given: Mapping[str, Any], **more: Any) -> AccessFlags:  # noqa: ANN401 -- click's own options
    """Give what these flags say, and what a command's own do."""
    return AccessFlags(**{name: given[name] for name in _NAMES}, **more)
