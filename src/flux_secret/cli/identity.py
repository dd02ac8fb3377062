"""`flux-secret identity`: the public halves of the agent's keys."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from flux_secret.cli import voice
from flux_secret.cli.person_options import from_options, given_fields
from flux_secret.cli.recorded import on_record
from flux_secret.errors import ConfigurationError
from flux_secret.model.identity import Identity
from flux_secret.settings import IdentityFlags, IdentitySettings
from flux_secret.wiring.installing import identity as identity_of

_DEFAULTS = IdentityFlags()


def _options(command: Any) -> Any:  # noqa: ANN401 -- a decorator of click's functions
    for option in reversed(from_options("Where the keys are")):
        command = option(command)
    return command


@click.command()
@click.option("-l", "--fingerprint", is_flag=True, help="Show fingerprints instead of keys.")
@click.option("--gpg", is_flag=True, help="Show the OpenPGP key that stores are encrypted to.")
@_options
@click.option("--git-ssh-key", type=click.Path(path_type=Path), metavar="FILE",
              help="The deploy key's file.")  # fmt: skip
@click.option("--git-gpg-key-import", type=click.Path(path_type=Path), metavar="FILE",
              help="The OpenPGP key's file.")  # fmt: skip
@click.option("-n", "--namespace", default=_DEFAULTS.namespace, show_default=True,
              metavar="NAMESPACE", help="Where the agent lives.")  # fmt: skip
@click.option("--kubeconfig", "--kube-config", "kubeconfig", metavar="FILE",
              type=click.Path(path_type=Path),
              help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own.",
)  # fmt: skip
@click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
def identity(**given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Show the agent's public deploy key, or with --gpg its public OpenPGP key.

    Of the keys of a store or of files; where none is named, of the agent in the cluster.
    """
    settings = IdentitySettings.load(
        IdentityFlags(**given_fields(dataclasses.fields(IdentityFlags), given))
    )
    found = asyncio.run(identity_of(settings, on_record()))
    shown = _openpgp if given["gpg"] else _ssh
    for line in shown(found, prints=given["fingerprint"]):
        voice.say(line)


def _ssh(found: Identity, *, prints: bool) -> Iterator[str]:
    if found.ssh is None:
        raise ConfigurationError(
            "no deploy key is named", remedy="name its file: --git-ssh-key FILE; or give --gpg"
        )
    if prints:
        yield f"SHA256:{found.ssh.sha256}"
        yield f"MD5:{found.ssh.md5}"
    else:
        yield str(found.ssh)


def _openpgp(found: Identity, *, prints: bool) -> Iterator[str]:
    if not found.openpgp:
        raise ConfigurationError(
            "no OpenPGP key is named", remedy="name its file: --git-gpg-key-import FILE"
        )
    for key in found.openpgp:
        yield key.fingerprint
        if not prints:
            yield key.armored.rstrip("\n")
