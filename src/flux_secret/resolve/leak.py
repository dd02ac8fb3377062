"""Where values and references may not stand: anywhere but in the values of a `Secret`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import LeakError, SecretRefError
from flux_secret.model.manifest import Manifest, Value
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import SCHEME, Lookup, Part
from flux_secret.model.shown import base64_inside

MIN_INSIDE: Final = 8  # bytes; shorter values are found only where they are the whole scalar
MIN_WHOLE: Final = 4  # bytes; shorter ones (`80`, `on`) stand everywhere by chance


@dataclass(frozen=True, slots=True)
class Needle:
    """A value that was read, in the forms in which it may stand somewhere."""

    lookup: Lookup
    value: bytes
    """Stripped of line breaks at its end, as a shell's `$( )` strips them."""
    forms: tuple[bytes, ...]
    """The value, plainly and in base64 at any offset."""

    def is_in(self, haystack: bytes) -> bool:
        """Whether the haystack shows the value, plainly or in base64 at any offset."""
        if len(self.value) < MIN_INSIDE:
            return haystack.strip() == self.value
        return any(form in haystack for form in self.forms)


def scalars(value: Value, path: str = "") -> Iterator[tuple[str, str]]:
    """Give every scalar, and every mapping key, as text with its field path."""
    match value:
        case str():
            yield path, value
        case bool() | None | Plaintext():
            return
        case int() | float():
            yield path, str(value)
        case Mapping():
            for key, inner in value.items():
                yield f"{path}.{key}" if path else key, key
                yield from scalars(inner, f"{path}.{key}" if path else key)
        case Sequence():
            for index, inner in enumerate(value):
                yield from scalars(inner, f"{path}[{index}]")


def refuse_references(manifest: Manifest) -> None:
    """Raise `SecretRefError` when a reference stands where it would be shown (decision 4)."""
    for path, text in scalars(manifest.body):
        if SCHEME in text:
            raise SecretRefError(
                f"{manifest.key.long} has a secret reference at {path}, in {manifest.origin}",
                remedy="references may stand only in data and stringData of a Secret; "
                "let the workload refer to that Secret",
            )


class LeakDetector:
    """Finds values that were read in manifests that everybody may read."""

    def __init__(self, handed_out: Sequence[tuple[Lookup, Plaintext]]) -> None:
        self._needles = tuple(
            needle for lookup, value in handed_out for needle in needles(lookup, value)
        )

    def check(self, manifest: Manifest) -> None:
        """Raise `LeakError` naming object and field; a `Secret`'s values are not in its body."""
        if not self._needles:
            return
        for path, text in scalars(manifest.body):
            haystacks = [text.encode(), *_unwrapped(text)]
            for needle in self._needles:
                if any(needle.is_in(haystack) for haystack in haystacks):
                    raise LeakError(
                        f"{manifest.key.long} shows the value of {needle.lookup} at {path}, "
                        f"in {manifest.origin}",
                        remedy="put the value into a Secret and refer to that "
                        "(env.valueFrom.secretKeyRef, envFrom, a volume)",
                    )


def needles(lookup: Lookup, value: Plaintext, least: int = MIN_WHOLE) -> Iterator[Needle]:
    """Give what to look for: no piece of fewer bytes than `least`."""
    whole = value.reveal().rstrip(b"\r\n")
    pieces = {whole}
    if lookup.part in {Part.WHOLE, Part.RAW}:
        pieces.add(whole.partition(b"\n")[0].rstrip(b"\r"))
    for piece in pieces:
        if len(piece) >= least:
            yield Needle(lookup, piece, (piece, *base64_inside(piece)))


def _unwrapped(text: str) -> Iterator[bytes]:
    """Give what the text says if it is base64 (either alphabet, wrapped or not, padded or not)."""
    packed = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        yield base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return
