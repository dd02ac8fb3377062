"""The flags of commands that ask a cluster about Apps: kubectl's names and habits."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import yaml

from flux_secret.cli import voice
from flux_secret.settings.asking import AskingSettings

F = TypeVar("F", bound=Callable[..., Any])
FORMATS: Final = ("table", "wide", "json", "yaml")
_NAMES: Final = ("kubeconfig", "context", "namespace", "all_namespaces")


def cluster_options(command: F) -> F:
    """Add which cluster, and which namespace."""
    for option in reversed((
        click.option("-n", "--namespace", metavar="NAMESPACE",
                     help="Where the Apps are. Default: the kubeconfig's, or default."),
        click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces."),
        click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE",
                     help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own."),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
    )):  # fmt: skip
        command = option(command)
    return command


def output_options(formats: Collection[str]) -> Callable[[F], F]:
    """Add how it is written, and whether it goes on."""

    def add(command: F) -> F:
        for option in reversed((
            click.option("-o", "--output", type=click.Choice(tuple(formats)), default="table",
                         show_default=True, help="How it is written."),
            click.option("-w", "--watch", is_flag=True, help="Go on, and write what changes."),
        )):  # fmt: skip
            command = option(command)
        return command

    return add


def asked_cluster(given: Mapping[str, Any]) -> AskingSettings:
    """Give whom the flags mean."""
    kubeconfig, context, namespace, everywhere = (given[name] for name in _NAMES)
    return AskingSettings.load(kubeconfig, context, namespace, everywhere=everywhere)


def say_data(tree: Mapping[str, Any], output: str, *, more: bool = False) -> None:
    """Write it as JSON or YAML; `more` comes after it, each on its own."""
    if output == "yaml":
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
        voice.say(f"---\n{text}".rstrip() if more else text.rstrip())
    else:
        voice.say(json.dumps(tree, indent=None if more else 2, ensure_ascii=False))
