"""A script's question → what it prints, and the values that may not be shown."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import flux_secret
from flux_secret.errors import FluxSecretError
from flux_secret.generate.gopass import (
    NOT_FOUND,
    SHOW_FAILED,
    Finding,
    Fixed,
    GopassCallError,
    Listing,
    parse,
)
from flux_secret.generate.interface import Answer, SecretReader
from flux_secret.model.plaintext import MASK, Plaintext

_NOTHING = Plaintext(b"")
MIN_MASKED = 3  # bytes; shorter values would mask half of every message


class GopassAnswers:
    """Answers for one generation."""

    def __init__(self, reader: SecretReader) -> None:
        self._reader = reader

    async def answer(self, arguments: Sequence[str]) -> Answer:
        """Answer one call; a refusal is an exit code and a sentence, and is remembered."""
        try:
            return await self._answer(arguments)
        except GopassCallError as error:
            return Answer(error.code, _NOTHING, f"Error: {error}\n")
        except FluxSecretError as error:
            return Answer(SHOW_FAILED, _NOTHING, f"Error: {error.what}\n")

    async def _answer(self, arguments: Sequence[str]) -> Answer:
        match parse(arguments):
            case Fixed.SYNC:
                return Answer(0, _NOTHING)
            case Fixed.VERSION:
                text = f"gopass 1.16.1 (answered by flux-secret {flux_secret.__version__})\n"
                return Answer(0, Plaintext(text.encode()))
            case Listing() as listing:
                paths = await self._reader.entries(listing.prefix)
                if not paths and listing.prefix:
                    return Answer(NOT_FOUND, _NOTHING, f"Error: no entries in {listing.prefix}\n")
                return Answer(0, Plaintext(listing.render(paths).encode()))
            case Finding() as finding:
                found = finding.render(await self._reader.entries(""))
                return Answer(0 if found else NOT_FOUND, Plaintext(found.encode()))
            case lookup:
                return Answer(0, await self._reader.read(lookup))


def masked(text: bytes, reader: SecretReader) -> str:
    """Give text that may be shown: values that were read, plain or in base64, become `***`."""
    for _, value in reader.handed_out:
        raw = value.reveal()
        lines = [line for line in raw.splitlines() if len(line) >= MIN_MASKED]
        for form in {
            raw,
            raw.strip(),
            *lines,
            base64.b64encode(raw),
            base64.b64encode(raw.strip()),
        }:
            if len(form) >= MIN_MASKED:
                text = text.replace(form, MASK.encode())
    shown = text.decode(errors="replace").strip()
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in shown)[-2000:]
