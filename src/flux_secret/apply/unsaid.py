"""An error + the values of its target → the same error, without words that may show one.

What the API server says of an object that is no Secret is repeated (`outside/kubernetes/refusal`).
But a policy or a webhook may have read a Secret and quote it there, cut or in another form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flux_secret.errors import FluxSecretError, RejectedError
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.shown import base64_inside, encodings

PIECE: Final = 8  # characters in common with a value, in any form, that are too many
STEP: Final = 2  # how far apart pieces are looked at: 9 in common are always seen
MIN_WHOLE: Final = 4  # bytes; shorter values stand everywhere by chance
UNSAID: Final = "its words are not repeated, since they may show a value of a Secret"


def unsaid(error: FluxSecretError, values: Iterable[Plaintext]) -> FluxSecretError:
    """Give the error itself when its words show nothing."""
    if not isinstance(error, RejectedError) or not error.said:
        return error
    said = error.said.encode()
    pieces = [said[at : at + PIECE] for at in range(0, len(said) - PIECE + 1, STEP)]
    if any(_is_shown(form, said, pieces) for value in values for form in _forms(value)):
        return RejectedError(error.brief, remedy=error.remedy, said=UNSAID)
    return error


def _forms(value: Plaintext) -> set[bytes]:
    whole = value.reveal().strip()
    return {*encodings(whole), *base64_inside(whole)}


def _is_shown(form: bytes, said: bytes, pieces: Iterable[bytes]) -> bool:
    if len(form) < PIECE:
        return len(form) >= MIN_WHOLE and form in said
    return any(piece in form for piece in pieces)
