"""A text → keyed digests of its parts, which are compared in its place; pure.

Neither a value nor a plain hash of one is kept. What counts as an entry's value is its password, as
gopass and scripts read it: the first line. An entry that has none, and one that is a whole file
whose first line says nothing (PEM, a configuration), is its own value.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from flux_secret.model.plaintext import Plaintext
from flux_secret.store.format.document import Format, SecretDocument

SIZE: Final = 16  # bytes of a digest
MAX_KEYS: Final = 256  # of one entry that are remembered
_NONE: Final = bytes(SIZE)
# the first line of a file with more lines: armor, JSON, INI, XML, a script, YAML, an env file
_FILE: Final = re.compile(
    rb"-----BEGIN |[{\[]\s*\Z|\[[\w .:/-]+\]\s*\Z|<\?xml|#!|#+ |[A-Za-z][\w.-]*: "
    rb"|(?:export )?[A-Z][A-Z0-9_]*=[^=]"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """The digests of what an entry holds; compared with those of the same key only."""

    whole: bytes
    password: bytes
    """Empty where there is no password."""
    keys: Mapping[str, bytes]
    """Name → digest of name and value; of a version that is only remembered, names are digests."""

    @property
    def value(self) -> bytes:
        """The digest of what a rotation changes: the password, or everything."""
        return self.password or self.whole

    @classmethod
    def of(cls, text: Plaintext, key: bytes) -> Self:
        """Digest a text."""
        document = SecretDocument.parse(text.reveal())

        def digest(kind: bytes, value: bytes) -> bytes:
            return hmac.digest(key, kind + b"\0" + value, "sha256")[:SIZE]

        password = document.password
        starts_file = bool(document.keys or document.body) and _FILE.match(password)
        is_file = starts_file or document.format is Format.FILE  # one value, whatever is in it
        return cls(
            # as gopass prints it: that it wrote an old format anew is no change
            whole=digest(b"whole", document.text),
            password=digest(b"password", password) if password and not is_file else b"",
            keys={
                name: digest(b"key", name.encode(errors="surrogateescape") + b"\0" + value)
                for name, value in document.keys.items()
                if value and not is_file
            },
        )

    @property
    def record(self) -> bytes:
        """The digests alone, to be kept: no name of a key is told by them."""
        keys = sorted(self.keys.values())[:MAX_KEYS]
        return b"".join([self.whole, self.password or _NONE, *keys])

    @classmethod
    def remembered(cls, record: bytes) -> Self | None:
        """Read what was kept; None where it is none."""
        digests = [record[at : at + SIZE] for at in range(0, len(record), SIZE)]
        if len(record) % SIZE or not 2 <= len(digests) <= 2 + MAX_KEYS:  # noqa: PLR2004 -- whole and password
            return None
        whole, password, *keys = digests
        return cls(whole, b"" if password == _NONE else password, {one.hex(): one for one in keys})
