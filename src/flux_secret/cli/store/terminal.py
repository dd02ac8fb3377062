"""What a command knows of the person's terminal: whether there is one, and what is typed there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from flux_secret.errors import UsageError
from flux_secret.model.plaintext import Plaintext


def shows_to_a_person() -> bool:
    """Whether standard output is a terminal, where a value could be read over a shoulder."""
    return sys.stdout.isatty()


def agreed(question: str) -> bool:
    """Ask a person; without a terminal nobody agrees, and the command says how to do without."""
    if not is_asked():
        raise UsageError(
            f"{question} There is no terminal to ask on",
            remedy="say so on the command line: --force",
        )
    return click.confirm(question, err=True)


def shown(value: Plaintext, *, reveal: bool) -> str:
    """Give a value as one line of text for a pipe, or for a person who asked to see it."""
    if shows_to_a_person() and not reveal:
        return str(value)
    return value.reveal().decode(errors="backslashreplace")


def print_value(value: Plaintext, *, newline: bool = False) -> None:
    """Write a value to standard output, byte for byte; with a line break for a terminal."""
    data = value.reveal()
    sys.stdout.buffer.write(data + (b"\n" if newline and not data.endswith(b"\n") else b""))
    sys.stdout.buffer.flush()


def is_asked() -> bool:
    """Whether standard input is a terminal, where a person types."""
    return sys.stdin.isatty()


def given_value(what: str, *, limit: int) -> Plaintext:
    """Take a value from standard input to its end; on a terminal, ask for it twice, unseen."""
    if is_asked():
        typed: str = click.prompt(what, hide_input=True, confirmation_prompt=True, err=True)
        return Plaintext(typed.encode())
    data = sys.stdin.buffer.read(limit + 1)
    if len(data) > limit:
        raise UsageError(
            f"standard input holds more than {limit} bytes",
            remedy="keep large files elsewhere; a Secret holds at most 1 MiB",
        )
    return Plaintext(data)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Lend what shows progress on a terminal's standard error; nothing where there is none."""
    if not sys.stderr.isatty():
        yield None
        return

    def show(done: int, whole: int) -> None:
        click.echo(f"\r{what} {done}/{whole}", err=True, nl=False)

    yield show
    click.echo("\r\x1b[K", err=True, nl=False)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person; raise `UsageError` where there is none to ask and `--yes` was not said."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody can be asked here, and nothing was changed",
            remedy="say that you mean it: --yes",
        )
    if click.confirm(question, err=True):
        return True
    click.echo("nothing was changed", err=True)
    return False
