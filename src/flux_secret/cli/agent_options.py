"""The flags that say how an agent runs: Flux v1's names, spellings and defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from flux_secret.cli.options import go_bool
from flux_secret.settings import Flags

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULTS: Final = Flags()
LISTEN: Final = "127.0.0.1:3030"

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--sync-interval", default=_DEFAULTS.sync_interval, show_default=True,
                 metavar="DURATION", help="Deliver at least this often."),
    click.option("--git-poll-interval", default=_DEFAULTS.git_poll_interval, show_default=True,
                 metavar="DURATION", help="Look for new commits, of stores too, this often."),
    click.option("--regenerate-interval", default=_DEFAULTS.regenerate_interval, show_default=True,
                 metavar="DURATION", help="Generate anew at least this often, changed or not; "
                 "0 is at every sync, as Flux v1 does."),
    click.option("--restart-workloads", is_flag=False, flag_value="delivered",
                 default=_DEFAULTS.restart_workloads, show_default=True, metavar="WHICH",
                 help="Restart what uses a Secret that changed: none, delivered (with it), all."),
    click.option("--restart-budget", default=_DEFAULTS.restart_budget, type=int,
                 show_default=True, metavar="NUMBER",
                 help="Restarts a minute in one namespace."),
    click.option("--restart-freeze", multiple=True, metavar="WINDOW",
                 help="Restart nothing then, as in 'mon-fri 08:00-18:00 Europe/Berlin'; may be "
                 "repeated."),
    click.option("--delivery-timeout", default=_DEFAULTS.delivery_timeout, show_default=True,
                 metavar="DURATION", help="Limit of one delivery, generators included."),
    click.option("--delivery-memory", default=_DEFAULTS.delivery_memory, show_default=True,
                 metavar="SIZE", help="Memory of the process that makes one delivery."),
    click.option("--concurrent", type=int, metavar="NUMBER",
                 help="Deliveries at once; without it four a processor, 4 to 16."),
    go_bool("--leader-elect", "Share the applications with other replicas, by Leases."),
    click.option("--leader-election-id", default=_DEFAULTS.leader_election_id, show_default=True,
                 metavar="NAME", help="Whose replicas share: another installation's in the same "
                 "namespace needs another."),
    click.option("--lease-duration", default=_DEFAULTS.lease_duration, show_default=True,
                 metavar="DURATION", help="How long others wait for a replica that is silent."),
    click.option("--renew-deadline", default=_DEFAULTS.renew_deadline, show_default=True,
                 metavar="DURATION", help="How long one may write that cannot renew its lease."),
    click.option("--retry-period", default=_DEFAULTS.retry_period, show_default=True,
                 metavar="DURATION", help="How often a lease is renewed and others' are read."),
    click.option("-l", "--listen", default=LISTEN, show_default=True, metavar="ADDRESS",
                 help="Where fluxctl, flux-secret sync and webhooks ask; empty for nowhere."),
    go_bool("--custom-resources", "Deliver the Apps of the cluster from its Stores."),
    click.option("--log-format", type=click.Choice(["fmt", "json"]), default="fmt",
                 show_default=True, help="How the log on stderr is written."),
    click.option("--listen-metrics", metavar="ADDRESS", default="",
                 help="Metrics apart from the API."),
    click.option("--listen-token-file", type=click.Path(path_type=Path), metavar="FILE",
                 help="Token that must be shown; without it, only this machine may ask."),
    click.option("--listen-webhook", metavar="ADDRESS", default="",
                 help="Where git hosts call when somebody has pushed."),
    click.option("--webhook-secret-file", type=click.Path(path_type=Path), metavar="FILE",
                 help="What they sign with, one secret a line; read again when it changes."),
    click.option("--listen-health", metavar="ADDRESS", default="",
                 help="Where probes ask for /healthz and /readyz; open to everybody."),
    click.option("--unhealthy-after", default=_DEFAULTS.unhealthy_after, show_default=True,
                 metavar="DURATION", help="Not ready once nothing could be delivered for so long."),
)  # fmt: skip


def agent_options(command: F) -> F:
    """Add them to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
