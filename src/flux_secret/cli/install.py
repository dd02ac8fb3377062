"""`flux-secret install`: print what puts the agent into a cluster, or put it there."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from flux_secret.cli import voice
from flux_secret.cli.options import go_bool, trust_options
from flux_secret.cli.person_options import F, from_options, given_fields
from flux_secret.cli.recorded import on_record
from flux_secret.errors import UsageError
from flux_secret.install.printing import documents, printed, printed_with_secrets
from flux_secret.settings import InstallFlags, InstallSettings
from flux_secret.settings.rights import RightsSettings
from flux_secret.wiring.installing import install as install_on_cluster
from flux_secret.wiring.installing import installed
from flux_secret.wiring.rights import needed

_DEFAULTS = InstallFlags()
_ETCD: Final = (
    "whether etcd encrypts Secrets cannot be seen from here: ask for the API server's "
    "--encryption-provider-config"
)
_AUDIT: Final = (
    "nor what its audit policy writes down: a rule of level Request or RequestResponse for "
    "secrets keeps both private keys in the audit log"
)
_UNRECORDED: Final = (
    "this agent keeps no record of what it reads and delivers: --record-storage 1Gi, or "
    "--record-git-url URL"
)
_EVERYWHERE: Final = "with --all-namespaces the agent may read every Secret of the cluster"

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--git-url", metavar="URL", help="Application repository (no secret is in it)."),
    click.option("--git-branch", default=_DEFAULTS.git_branch, show_default=True, metavar="BRANCH",
                 help="Branch that is delivered."),
    click.option("--git-path", multiple=True, metavar="PATH[,PATH…]",
                 help="Directory to deliver, relative to the repository; may be repeated. "
                 "Default: the repository's root."),
    click.option("--git-user", metavar="NAME", help="Who moves the sync tag."),
    click.option("--git-email", metavar="EMAIL", help="The same one's address."),
    go_bool("--git-readonly", "The deploy key may not push: keep the sync marker in the cluster."),
    click.option("--git-known-hosts", type=click.Path(path_type=Path), metavar="FILE",
                 help="Host keys that are trusted. Default: those of github.com, gitlab.com and "
                 "bitbucket.org."),
    go_bool("--sync-garbage-collection", "Remove objects that left the repository."),
    click.option("--store", multiple=True, metavar="NAME=URL",
                 help="A gopass or pass store and the name scripts call it by; may be repeated."),
    *trust_options(),
    click.option("--k8s-allow-namespace", multiple=True, metavar="NAMESPACE[,…]",
                 help="Where applications go: it is made, and the agent gets rights in it; may be "
                 "repeated."),
    go_bool("--all-namespaces", "Give the agent rights in every namespace instead."),
    go_bool("--custom-resources", "The agent follows Apps, Stores and StoreSecrets of the cluster; "
            "what they are is installed, too."),
    click.option("--record-storage", default=_DEFAULTS.record_storage, metavar="SIZE",
                 help="Keep the record on a volume of this size. Default: none is kept."),
    click.option("--record-git-url", metavar="URL",
                 help="Push the record to a branch of this repository, too."),
    click.option("--record-keep", default=_DEFAULTS.record_keep, metavar="SIZE",
                 help="How much of it each replica keeps. Default: all."),
    click.option("-n", "--namespace", default=_DEFAULTS.namespace, show_default=True,
                 metavar="NAMESPACE", help="Where the agent lives."),
    click.option("--image", metavar="IMAGE", help="The agent's image, as the cluster pulls it."),
    *from_options("Where the agent's keys are"),
    go_bool("--with-secrets", "Print the Secrets, too; refused on a terminal."),
    go_bool("--apply", "Send it to the cluster instead of printing it."),
    go_bool("--print-rbac", "Print the least rights for what Apps, inventories and --manifests "
            "contain; nothing else."),
    click.option("--manifests", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
                 help="With --print-rbac: documents that are to be delivered, - for standard "
                 "input; may be repeated."),
    click.option("--config", metavar="FILE", type=click.Path(path_type=Path),
                 help="With --print-rbac: the agent's settings file, whose Apps count, too."),
    go_bool("--dry-run", "Say what --apply would do."),
    go_bool("--adopt-existing", "Take over objects that exist already."),
    click.option("--confirm", multiple=True, metavar="TOKEN",
                 help="Let a held change through; the error that holds it back names the token."),
    click.option("--kubeconfig", "--kube-config", "kubeconfig", metavar="FILE",
                 type=click.Path(path_type=Path),
                 help="Cluster access; default: KUBECONFIG, ~/.kube/config, the pod's own."),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
)  # fmt: skip


def _options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_options
@click.pass_context
def install(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 -- click's own options
    """Print the manifests that put the agent into a cluster, or apply them."""
    apply, dry, secrets = (bool(given[name]) for name in ("apply", "dry_run", "with_secrets"))
    flags = InstallFlags(**given_fields(dataclasses.fields(InstallFlags), given))
    manifests: tuple[Path, ...] = given["manifests"]
    if given["print_rbac"]:
        if apply or dry or secrets:
            raise UsageError("--print-rbac only prints", remedy="pipe it into kubectl apply")
        found = asyncio.run(needed(RightsSettings.load(flags, manifests, given["config"])))
        voice.say(documents(found).rstrip("\n"))
        return
    if manifests or given["config"]:
        flag = "--manifests" if manifests else "--config"
        raise UsageError(f"{flag} is for --print-rbac", remedy="leave it out")
    settings = InstallSettings.load(dataclasses.replace(flags, apply=apply or dry))
    if apply or dry:
        if secrets:
            raise UsageError("--with-secrets is for printing", remedy="leave it out")
        code = _apply(settings, dry=dry)
    else:
        _print(settings, secrets=secrets)
        code = 0
    for note in (_ETCD, _AUDIT):
        voice.note(note)
    if not settings.installation.applications and not settings.installation.rights_apart:
        voice.note(_EVERYWHERE)
    if not settings.installation.record_storage and settings.installation.record_git_url is None:
        voice.note(_UNRECORDED)
    context.exit(code)


def _print(settings: InstallSettings, *, secrets: bool) -> None:
    if secrets and settings.keys is None:
        raise UsageError(
            "--with-secrets needs the keys", remedy="name their folder: --from STORE/…/flux"
        )
    if secrets and sys.stdout.isatty():
        raise UsageError(
            "the private keys would stand on this terminal",
            remedy="pipe it: … --with-secrets | kubectl apply --server-side -f -; or --apply",
        )
    bundle = asyncio.run(installed(settings, on_record()))
    if secrets:
        sys.stdout.buffer.write(printed_with_secrets(bundle).reveal())
    else:
        voice.say(printed(bundle).rstrip("\n"))


def _apply(settings: InstallSettings, *, dry: bool) -> int:
    delivery = asyncio.run(install_on_cluster(settings, on_record(), dry=dry))
    voice.report_changes(delivery)
    if dry and delivery.exit_code == 0:
        voice.say("nothing was changed; do it with --apply")
    return delivery.exit_code
