"""`.gpg-id` and `.age-recipients` ⇄ recipients; every line that is not changed keeps its bytes.

Read as gopass reads them: any line break, comments after `#`, duplicates once (facts: gopass §1.3).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from flux_secret.errors import UsageError

_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
MAX_RECIPIENTS: Final = 10_000
"""Lines of one file; an OpenPGP message names each of them."""


@dataclass(frozen=True)
class RecipientsFile:
    """Who may read what lies below a folder."""

    text: bytes

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Every recipient as it is written, each once, sorted."""
        return tuple(sorted({one for one, _ in self._lines()} - {""}))

    @property
    def has_carriage_returns(self) -> bool:
        """Whether pass would stumble over it: it takes a CR for a part of the id."""
        return b"\r" in self.text

    @property
    def gopass_hash(self) -> str:
        """SHA-256 of the file as gopass writes it anew: its `recipients.hash`."""
        text = self.text.decode(errors="replace").replace("\r", "\n")
        lines = text.removesuffix("\n").split("\n") if text else []
        whole = "".join(f"{line.strip()}\n" for line in lines) if self.ids else "\n"
        return hashlib.sha256(whole.encode()).hexdigest()

    def with_added(self, ids: Iterable[str]) -> RecipientsFile:
        """Add lines at the end, sorted, for those that are not there yet."""
        new = sorted(set(ids) - set(self.ids))
        for one in new:
            if not one.strip() or one != one.strip() or not one.isprintable() or "#" in one:
                raise UsageError(
                    f"{one!a} cannot stand in a file of recipients",
                    remedy="name a key by its fingerprint",
                )
        gap = b"\n" if new and self.text and self.text[-1:] not in {b"\n", b"\r"} else b""
        return RecipientsFile(self.text + gap + b"".join(f"{one}\n".encode() for one in new))

    def without(self, ids: Collection[str]) -> RecipientsFile:
        """Take the lines of these recipients out; comments and all other lines stay."""
        return RecipientsFile(b"".join(line for one, line in self._lines() if one not in ids))

    def _lines(self) -> Iterator[tuple[str, bytes]]:
        """Give each line: the recipient in it, or nothing, and its bytes."""
        for match in _LINE.finditer(self.text):
            line = match.group()
            if line:
                yield line.decode(errors="replace").partition("#")[0].strip(), line
