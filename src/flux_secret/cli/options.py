"""The flags that `deliver` and `agent` share: Flux v1's names, spellings and defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from flux_secret.settings import Flags

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULTS = Flags()


def go_bool(name: str, help_text: str) -> Callable[[F], F]:
    """Make a flag that may stand alone or be written `=true` and `=false`, as Go's flags may."""
    return click.option(name, type=bool, is_flag=False, flag_value="true", default=False,
                        metavar="[=true|false]", help=help_text)  # fmt: skip


def _file(name: str, help_text: str, *, multiple: bool = False) -> Callable[[F], F]:
    return click.option(
        name, type=click.Path(path_type=Path), multiple=multiple, metavar="FILE", help=help_text
    )


def trust_options() -> tuple[Callable[[Any], Any], ...]:
    """Give the flags that say whose word counts about the owners of stores."""
    return (
        click.option("--store-anchor", multiple=True, metavar="NAME=COMMIT",
                     help="Trust the owners file that a store has at this commit; may be "
                     "repeated. Default: the first that is seen."),
        click.option("--store-owner-keys", multiple=True, metavar="NAME=FILE",
                     help="Trust the commit that brought a store's owners file in, if one of "
                     "these keys has signed it; one a line."),
    )  # fmt: skip


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _file("--config", "Stores and Apps, as the cluster would take them: several repositories, and "
          "who may read what."),
    click.option("--git-url", metavar="URL", help="Application repository (no secret is in it)."),
    click.option("--git-branch", default=_DEFAULTS.git_branch, show_default=True, metavar="BRANCH",
                 help="Branch that is delivered."),
    click.option("--git-path", multiple=True, metavar="PATH[,PATH…]",
                 help="Directory to deliver, relative to the repository; may be repeated. "
                 "Default: the repository's root."),
    click.option("--git-timeout", default=_DEFAULTS.git_timeout, show_default=True,
                 metavar="DURATION", help="Limit of one git operation."),
    _file("--git-ssh-key", "Deploy key for ssh. Default: the mounted one, if it is there."),
    click.option("--git-ssh-key-for", multiple=True, metavar="REPOSITORY=FILE",
                 help="Deploy key of one repository or store alone; may be repeated."),
    click.option("--k8s-secret-volume-mount-path", default=_DEFAULTS.k8s_secret_volume_mount_path,
                 show_default=True, metavar="DIRECTORY", help="Where the deploy key is mounted."),
    click.option("--k8s-secret-data-key", default=_DEFAULTS.k8s_secret_data_key,
                 show_default=True, metavar="NAME", help="The mounted deploy key's file name."),
    _file("--git-known-hosts", "Host keys that are trusted; an unknown host is an error."),
    _file("--git-credentials-file", "User and password for https, in git-credential-store form."),
    _file("--git-ca-file", "Certificates that an https git host is checked against."),
    _file("--git-gpg-key-import", "Armored OpenPGP private key, or a directory of them; may be "
          "repeated. Default: the keys of GNUPGHOME.", multiple=True),
    _file("--git-gpg-passphrase-file", "Passphrase of the imported keys."),
    _file("--age-identity", "Identities for stores of age, or an ssh private key; may be "
          "repeated.", multiple=True),
    click.option("--store", multiple=True, metavar="NAME=URL",
                 help="A gopass or pass store and the name scripts call it by; may be repeated."),
    click.option("--stores-from", type=click.Path(path_type=Path), metavar="DIRECTORY",
                 help="More stores: one file each, named as the store, its address in it."),
    *trust_options(),
    click.option("--cluster-name", default="", metavar="NAME",
                 help="How owners' rules name this cluster; else only rules for all count."),
    click.option("--accept-store-rewind", multiple=True, metavar="NAME=COMMIT",
                 help="Let a store be set back to this commit, once; may be repeated."),
    go_bool("--manifest-generation", "Honour .flux.yaml."),
    click.option("--generator-env", multiple=True, metavar="NAME[=VALUE]",
                 help="Pass a variable to generators; may be repeated."),
    click.option("--generator-network", multiple=True, metavar="PATH[,PATH…]",
                 help="Git paths whose generators may use the network; may be repeated."),
    click.option("--generator-memory", default=_DEFAULTS.generator_memory, show_default=True,
                 metavar="SIZE", help="Memory of a generator command and all that it starts, its "
                 "files included."),
    click.option("--generator-processes", default=_DEFAULTS.generator_processes, type=int,
                 show_default=True, metavar="NUMBER", help="Its processes at once."),
    click.option("--generator-output", default=_DEFAULTS.generator_output, show_default=True,
                 metavar="SIZE", help="What it may print."),
    click.option("--generator-tmp", default=_DEFAULTS.generator_tmp, show_default=True,
                 metavar="SIZE", help="Its private /tmp, and its /dev/shm."),
    go_bool("--sops", "Decrypt files of sops, where no .flux.yaml applies."),
    go_bool("--git-secret", "Reveal what git-secret hides, before anything is read."),
    go_bool("--unsafe-no-sandbox", "Run generators with the agent's own rights, key included."),
    click.option("--sync-timeout", default=_DEFAULTS.sync_timeout, show_default=True,
                 metavar="DURATION", help="Limit of one generator command."),
    go_bool("--sync-garbage-collection", "Remove objects that left the repository."),
    go_bool("--sync-garbage-collection-dry", "Only say what would be removed."),
    go_bool("--adopt-existing", "Take over objects that exist already."),
    click.option("--confirm", multiple=True, metavar="TOKEN",
                 help="Let a held change through; the error that holds it back names the token."),
    click.option("--k8s-allow-namespace", multiple=True, metavar="NAMESPACE[,…]",
                 help="Touch only these namespaces; may be repeated. Default: all."),
    click.option("--k8s-namespace-whitelist", multiple=True, hidden=True),  # its older name
    click.option("--k8s-default-namespace", metavar="NAMESPACE",
                 help="Namespace of objects that name none; else the kubeconfig's, or default."),
    click.option("-n", "--namespace", default=_DEFAULTS.namespace, show_default=True,
                 metavar="NAMESPACE", help="Where flux-secret keeps its own objects."),
    click.option("--kubeconfig", "--kube-config", "kubeconfig", metavar="FILE",
                 type=click.Path(path_type=Path),
                 help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own."),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
    click.option("--cache-dir", type=click.Path(path_type=Path), metavar="DIRECTORY",
                 help="Where repositories are mirrored. Default: $XDG_CACHE_HOME/flux-secret."),
)  # fmt: skip


def delivery_options(command: F) -> F:
    """Add the shared flags to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def flags(given: dict[str, Any]) -> Flags:
    """Give the typed flags from what click parsed."""
    names = {field.name for field in dataclasses.fields(Flags)}
    return Flags(**{name: value for name, value in given.items() if name in names})
