"""`flux-secret store generate`: a new password for an entry, or for one key of it."""

from __future__ import annotations

import asyncio

import click

from flux_secret.cli import voice
from flux_secret.cli.recorded import on_record
from flux_secret.cli.store.sharing import share
from flux_secret.cli.store.terminal import print_value
from flux_secret.errors import UsageError
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.settings.person import PersonSettings
from flux_secret.store.format import edit, passwords
from flux_secret.store.format.passwords import Generated
from flux_secret.wiring.stores import mounted


@click.command()
@click.argument("entry")
@click.argument("words", nargs=-1, metavar="[KEY] [LENGTH]")
@click.option("-s", "--symbols", is_flag=True, help="Draw from symbols too.")
@click.option("--strict", is_flag=True, help="Have something of each class of characters.")
@click.option("--alphabet", metavar="CHARACTERS", help="Draw from exactly these characters.")
@click.option("--xkcd", is_flag=True, help="Draw words; LENGTH is their number.")
@click.option("--separator", default=" ", show_default=True, metavar="TEXT",
              help="What stands between words.")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Change what is there; allow a weak password.")
@click.option(
    "-p", "--print", "prints", is_flag=True, help="Write the password to standard output."
)
def generate(  # noqa: PLR0913 -- click hands over each option
    entry: str, words: tuple[str, ...], *, symbols: bool, strict: bool, alphabet: str | None,
    xkcd: bool, separator: str, force: bool, prints: bool,
) -> None:  # fmt: skip
    """Draw a password; what else the entry holds keeps every byte.

    Without LENGTH: 24 characters, or 4 words.
    """
    key, length = _meant(words)
    if xkcd:
        made = passwords.words(length or passwords.DEFAULT_WORDS, separator, is_forced=force)
    else:
        letters = passwords.LETTERS_AND_DIGITS + passwords.SYMBOLS * symbols
        made = passwords.characters(
            length or passwords.DEFAULT_LENGTH, alphabet or letters,
            is_strict=strict, is_forced=force,
        )  # fmt: skip
    asyncio.run(_generate(SecretPath.parse(entry), key, made, force=force))
    if prints:
        print_value(Plaintext(made.password), newline=True)


def _meant(words: tuple[str, ...]) -> tuple[str, int]:
    """Tell `[KEY] [LENGTH]` apart, as gopass does: a number at the end is the length."""
    length = int(words[-1]) if words and words[-1].isdecimal() and len(words[-1]) < 6 else 0  # noqa: PLR2004 -- digits
    keys = words[:-1] if length else words
    if len(keys) > 1:
        raise UsageError("too many words", remedy="write generate ENTRY [KEY] [LENGTH]")
    return "".join(keys), length


async def _generate(path: SecretPath, key: str, made: Generated, *, force: bool) -> None:
    settings = PersonSettings.load()
    async with mounted(settings, on_record()) as mounts:
        store, name = mounts.find(path)
        async with store.changing() as draft:
            is_new = name not in draft.names
            if not is_new and not force:
                raise UsageError(
                    f"there is an entry {path} already", remedy="give it a new password: --force"
                )
            before = b"\n" if is_new else (await draft.read(name)).reveal()
            if key:
                text = edit.set_key(before, key, made.password)
            else:
                text = edit.set_password(before, made.password)
            draft.put(name, Plaintext(text))
            await draft.commit(f"Generate {f'{key} of ' if key else ''}{name}")
        voice.say(f"{path} {'created' if is_new else 'changed'}, {made.bits:.0f} bits", err=True)
        await share(store, settings)
