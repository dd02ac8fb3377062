"""argv → a command, its exit code, and a sentence for everything that goes wrong."""

from __future__ import annotations

import sys
from typing import Any, Final, NoReturn

import click

import flux_secret
from flux_secret.cli import logformat, voice
from flux_secret.cli.lazy import LazyGroup
from flux_secret.errors import BugError, FluxSecretError, place_of
from flux_secret.settings import from_environment

PROGRAM: Final = "flux-secret"
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it


_COMMANDS: Final = (
    "access", "adopt", "age", "agent", "audit", "bootstrap", "completion", "deliver", "demo",
    "doctor", "events", "identity", "install", "logs", "offboard", "owners", "recipients",
    "reencrypt", "resume", "retire-cluster", "rotate-operator-key", "status", "store", "suspend",
    "sync", "why",
)  # fmt: skip


@click.group(
    cls=LazyGroup,
    names=_COMMANDS,
    package="flux_secret.cli",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(flux_secret.__version__, prog_name=PROGRAM)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="How much the log on stderr says. Default: info for the agent, nothing for the others.",
)
@click.option(
    "--no-record",
    is_flag=True,
    help="Do it though it cannot be recorded, and say so: for emergencies.",
)
@click.pass_context
def main(context: click.Context, log_level: str | None, *, no_record: bool) -> None:
    """Bring secrets from gopass to Kubernetes applications, by GitOps."""
    del no_record  # asked for by whoever records
    quiet = "info" if context.invoked_subcommand == "agent" else "critical"
    logformat.configure(log_level or quiet)


def run() -> NoReturn:
    """Run the command line; every expected failure is a sentence and an exit code (design §6)."""
    try:
        code = main.main(prog_name=PROGRAM, standalone_mode=False, default_map=_Environment())
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
        bug = BugError(
            f"a bug: {type(failure).__name__} at {place_of(failure)}",
            remedy="please report this line and what you did; no value is in it",
        )
        voice.fail(bug)
        sys.exit(bug.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


class _Environment(dict[str, Any]):
    """Click's defaults: what `FLUX_SECRET_*` says of the one command that runs."""

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 -- dict's own signature
        """Give the values for a command's options; a group's commands take none."""
        command = main.get_command(click.Context(main), name)
        if command is None or isinstance(command, click.Group):
            return default
        options = [one for one in command.params if isinstance(one, click.Option) and one.name]
        return from_environment({one.name: one.multiple for one in options if one.name})
