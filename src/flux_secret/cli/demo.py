"""`flux-secret demo`: the whole walkthrough in a temporary place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from flux_secret.cli import voice
from flux_secret.cli.audit.log import log
from flux_secret.cli.audit.verify import verify
from flux_secret.demo.place import Place, open_place
from flux_secret.demo.story import Stage, Story
from flux_secret.reconcile.round import Round
from flux_secret.settings import Flags, Settings, current_kubeconfig, tool_environment
from flux_secret.wiring.agent import connect


@click.command()
@click.option("--keep", is_flag=True, help="Leave the place and the cluster for a look around.")
@click.option(
    "--cluster",
    type=click.Choice(["embedded", "current"]),
    default="embedded",
    show_default=True,
    help="An in-memory API server, or the current kubeconfig's cluster.",
)
def demo(*, keep: bool, cluster: str) -> None:
    """Play the 2019 walkthrough from gopass to a Secret, and what goes wrong on the way."""
    asyncio.run(_play(keep=keep, current=cluster == "current"))


async def _play(*, keep: bool, current: bool) -> None:
    cluster = current_kubeconfig() if current else None
    async with open_place(tool_environment(), cluster, keep=keep) as place:
        voice.say(f"everything is in {place.root}, and gone afterwards unless you say --keep")
        deliver = _Deliveries().once
        story = Story(Stage(place, place.kubectl(voice.say), deliver, voice.say, _audit))
        await story.play()
        if current and not keep:
            await story.tidy()
        if keep:
            await story.deliver_again()
            voice.say(_farewell(place))


def _audit(command: str, arguments: Sequence[str]) -> int:
    """Run `flux-secret audit COMMAND`, shown as a person would type it."""
    voice.say(f"$ flux-secret audit {command} {' '.join(arguments)}")
    found = {"log": log, "verify": verify}[command]
    ended = found.main(list(arguments), prog_name=f"audit {command}", standalone_mode=False)
    return ended if isinstance(ended, int) else 0


class _Deliveries:
    """`flux-secret deliver`, shown as a person would type it; later ones by what differs."""

    def __init__(self) -> None:
        self._shown: tuple[str, ...] = ()

    async def once(self, flags: Flags) -> Round:
        words = _typed(flags)
        again = [word for word in words if word not in self._shown]
        shown = " \\\n    ".join(words) if not self._shown else " ".join(["…", *again])
        self._shown = self._shown or words
        voice.say(f"$ flux-secret deliver {shown}")
        async with connect(Settings.load(flags)) as agent:
            done = await agent.round()
        voice.report_round(done)
        return done


def _typed(flags: Flags) -> tuple[str, ...]:
    return (
        f"--git-url {flags.git_url}",
        f"--git-path {','.join(flags.git_path)}",
        *(f"--store {store}" for store in flags.store),
        *(f"--git-gpg-key-import {file}" for file in flags.git_gpg_key_import),
        "--manifest-generation --sync-garbage-collection",
        *(f"--generator-env {variable}" for variable in flags.generator_env),
        *(f"--confirm {token}" for token in flags.confirm),
    )


def _farewell(place: Place) -> str:
    lines = [f"\nleft for you in {place.root}:", f"  export KUBECONFIG={place.kubeconfig}"]
    lines += [f"  export GNUPGHOME={place.root / 'gnupg'}"]
    if place.server_pid is not None:
        lines += [f"  the API server runs as process {place.server_pid}; when you are done:"]
        lines += [f"  kill {place.server_pid}; rm -r {place.root}"]
    return "\n".join(lines)
