"""`flux-secret store grep`: which entries say something."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.terminal import shown
from flux_secret.errors import DecryptError, UsageError
from flux_secret.model.plaintext import Plaintext
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.stores import mounted

Matches = Callable[[bytes], bool]


@click.command()
@click.argument("pattern")
@click.argument("folder", default="")
@click.option("-r", "--regexp", is_flag=True, help="Take the pattern for a regular expression.")
@click.option("-i", "--ignore-case", is_flag=True, help="Take capitals for small letters.")
@click.option("--lines", is_flag=True, help="Write the lines too.")
@click.option("--reveal", is_flag=True, help="Show the lines on a terminal too.")
@click.pass_context
def grep(  # noqa: PLR0913 -- click hands over each option
    context: click.Context, /, pattern: str, folder: str, *, regexp: bool, ignore_case: bool,
    lines: bool, reveal: bool,
) -> None:  # fmt: skip
    """Search the text of every entry, or of those below a folder.

    Ends with 1 when nothing was found, as grep does.
    """
    matches = _matcher(pattern, regexp=regexp, ignore_case=ignore_case)
    context.exit(asyncio.run(_grep(matches, folder.strip("/"), lines=lines, reveal=reveal)))


def _matcher(pattern: str, *, regexp: bool, ignore_case: bool) -> Matches:
    try:
        compiled = re.compile(
            (pattern if regexp else re.escape(pattern)).encode(),
            re.IGNORECASE if ignore_case else 0,
        )
    except re.error as error:
        raise UsageError(
            f"the pattern is no regular expression: {error}", remedy="leave --regexp out"
        ) from None
    return lambda line: compiled.search(line) is not None


async def _grep(matches: Matches, folder: str, *, lines: bool, reveal: bool) -> int:
    code = 1
    async with mounted(PersonSettings.load(), on_record()) as mounts:
        for store in mounts.stores.values():
            for name, answer in await _texts(store, folder):
                if isinstance(answer, DecryptError):
                    voice.fail(answer)
                    code = answer.exit_code
                    continue
                found = list(_found(answer, matches))
                if found:
                    voice.say(store.full(name))
                    code = min(code, 0) if code == 1 else code
                for line in found if lines else ():
                    voice.say(f"  {shown(line, reveal=reveal)}")
    return code


async def _texts(store: WorkingStore, folder: str) -> list[tuple[str, Plaintext | DecryptError]]:
    names = [
        name for name in store.tree().names
        if f"{store.full(name)}/".startswith(f"{folder}/" if folder else "")
    ]  # fmt: skip
    return list(zip(names, await store.read_all(names) if names else [], strict=True))


def _found(text: Plaintext, matches: Matches) -> Iterator[Plaintext]:
    for line in text.reveal().splitlines():
        if matches(line):
            yield Plaintext(line)
