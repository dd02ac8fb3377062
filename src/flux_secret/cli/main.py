"""argv → a command, its exit code, and a sentence for everything that goes wrong."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

import click

import flux_secret
from flux_secret.cli import logs, voice
from flux_secret.cli.adopt import adopt
from flux_secret.cli.agent import agent
from flux_secret.cli.deliver import deliver
from flux_secret.cli.demo import demo
from flux_secret.cli.doctor import doctor
from flux_secret.cli.sync import sync
from flux_secret.errors import BugError, FluxSecretError
from flux_secret.settings import from_environment

PROGRAM: Final = "flux-secret"
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(flux_secret.__version__, prog_name=PROGRAM)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much the log on stderr says. Default: info for the agent, nothing for the others.",
)
@click.pass_context
def main(context: click.Context, log_level: str | None) -> None:
    """Bring secrets from gopass to Kubernetes applications, by GitOps."""
    quiet = "info" if context.invoked_subcommand == agent.name else "critical"
    logs.configure(log_level or quiet)


for _command in (demo, deliver, agent, sync, adopt, doctor):
    main.add_command(_command)


def run() -> NoReturn:
    """Run the command line; every expected failure is a sentence and an exit code (design §6)."""
    try:
        code = main.main(prog_name=PROGRAM, standalone_mode=False, default_map=_environment())
    except FluxSecretError as failure:
        voice.fail(failure)
        sys.exit(failure.exit_code)
    except click.ClickException as failure:
        failure.show()
        sys.exit(failure.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except Exception as failure:  # noqa: BLE001 -- the last door: no traceback may quote a value
        where = _where(failure)
        bug = BugError(
            f"a bug: {type(failure).__name__} at {where}",
            remedy="please report this line and what you did; no value is in it",
        )
        voice.fail(bug)
        sys.exit(bug.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _environment() -> dict[str, dict[str, str | list[str]]]:
    """Give click's defaults: what `FLUX_SECRET_*` says of each command's options."""
    return {
        name: from_environment(
            {
                option.name: option.multiple
                for option in command.params
                if isinstance(option, click.Option) and option.name
            }
        )
        for name, command in main.commands.items()
    }


def _where(failure: BaseException) -> str:
    """Name the innermost place of ours, never the exception's text: it may quote a value."""
    places = []
    trace = failure.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "?")
        places.append((module, trace.tb_lineno))
        trace = trace.tb_next
    ours = (
        [place for place in places if place[0].startswith("flux_secret.")] or places or [("?", 0)]
    )
    return f"{ours[-1][0]}:{ours[-1][1]}"
