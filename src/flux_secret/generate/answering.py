"""A script's question → what it prints; a call that fails is remembered.

A script hides the exit status of `$(gopass … | base64)`. So every `gopass` that does not succeed
poisons the generation, not only a read that the store refuses: what the script then prints is made
of something else than was meant (design decision 2). Among these is the name of a folder, for which
gopass prints a tree: no Secret is meant to hold one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import flux_secret
from flux_secret.errors import EntryNotFoundError, FluxSecretError, GenerateError
from flux_secret.generate.gopass import SHOW_FAILED, Fixed, GopassCallError, parse
from flux_secret.generate.interface import Answer, SecretReader
from flux_secret.generate.listing import Finding, Listing
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup

NOT_FOUND: Final = 10
_NOTHING: Final = Plaintext(b"")
_VERSION: Final = f"gopass 1.16.1 (answered by flux-secret {flux_secret.__version__})\n"


class GopassAnswers:
    """Answers for one generation."""

    def __init__(self, reader: SecretReader, reason: str = "") -> None:
        """`reason` says for the record who asks."""
        self._reader = reader
        self._reason = reason
        self._refusal: FluxSecretError | None = None

    @property
    def refusal(self) -> FluxSecretError | None:
        """Why the first call that failed did, or the reader's own first refusal."""
        return self._refusal or self._reader.refusal

    async def answer(self, arguments: Sequence[str]) -> Answer:
        """Answer one call; a refusal is an exit code and a sentence, and is remembered."""
        try:
            return Answer(0, Plaintext(await self._answer(arguments)))
        except GopassCallError as call:
            failure: FluxSecretError = GenerateError(call.message, remedy=call.remedy)
            code = call.code
        except _NothingFoundError as error:
            failure, code = error.failure, NOT_FOUND
        except FluxSecretError as error:
            failure, code = error, SHOW_FAILED
        self._refusal = self._refusal or failure
        sentence = f"{failure.what}; {failure.remedy}" if failure.remedy else failure.what
        return Answer(code, _NOTHING, f"Error: {sentence}\n")

    async def _answer(self, arguments: Sequence[str]) -> bytes:
        match parse(arguments):
            case Fixed.SYNC:
                return b""
            case Fixed.VERSION:
                return _VERSION.encode()
            case Listing() as listing:
                text = listing.render(await self._reader.entries(listing.prefix))
                if not text and listing.prefix:
                    raise _NothingFoundError(f"there is no entry below {listing.prefix!r}")
                return text.encode()
            case Finding() as finding:
                text = finding.render(await self._reader.entries(""))
                if not text:
                    raise _NothingFoundError(f"there is no entry with {finding.term!r} in its name")
                return text.encode()
            case lookup:
                return await self._read(lookup)

    async def _read(self, lookup: Lookup) -> bytes:
        try:
            return (await self._reader.read(lookup, self._reason)).reveal()
        except EntryNotFoundError:
            below = await self._reader.entries(str(lookup.path))
            if not below:
                raise
            raise EntryNotFoundError(
                f"{lookup.path} is a folder, not an entry",
                remedy=f"name an entry, such as {below[0]}; gopass ls --flat lists them",
            ) from None


class _NothingFoundError(Exception):
    """A listing or a search without a result: an exit code of its own in gopass."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.failure = EntryNotFoundError(
            what, remedy="check the name, and that this target may read that store"
        )
