"""The sync tag of a remote: read from our copy, written as an annotated tag and pushed.

The tag is made as an object and pushed by its id: no ref of ours changes unless the push succeeded,
and git starts no program to sign it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import ConfigurationError, IntegrityError, UsageError
from flux_secret.outside.git.history import GnuPg
from flux_secret.outside.git.mirror import Mirror
from flux_secret.outside.git.refs import our, tag_ref

MESSAGE: Final = "Sync pointer"  # Flux v1's own (facts: flux-v1 §2.7)
_UNUSABLE: Final = re.compile(r"[<>\n\r\0]")
Sign = Callable[[bytes], Awaitable[bytes]]
"""Gives an armored detached signature."""


@dataclass(frozen=True, slots=True)
class Tagger:
    """Who a tag names as its author."""

    name: str
    email: str

    def __post_init__(self) -> None:
        for flag, text in (("--git-user", self.name), ("--git-email", self.email)):
            if not text.strip() or _UNUSABLE.search(text) or not text.isprintable():
                raise UsageError(
                    f"{flag} {text[:80]!a} cannot stand in a tag",
                    remedy="write a plain name and address, without < and >",
                )


class SyncTag:
    """Keeps the sync marker as a tag of the repository itself."""

    def __init__(
        self, mirror: Mirror, name: str, tagger: Tagger, *, gnupg: GnuPg, sign: Sign | None = None
    ) -> None:
        """`mirror` must fetch that tag along; `sign` is None for a tag without a signature."""
        self._git = mirror.git
        self._mirror = mirror.path
        self._gnupg = gnupg
        self._name = name
        self._ref = tag_ref(name)
        self._tagger = tagger
        self._sign = sign

    def __str__(self) -> str:
        return f"the sync tag {self._name}"

    async def read(self) -> str | None:
        """Give the commit that it names, or whatever it names instead of one; None: no tag."""
        for peeled in ("^{commit}", ""):
            words = ("rev-parse", "--verify", "--quiet", "--end-of-options")
            found = await self._git.local(self._mirror, *words, our(self._ref) + peeled)
            if found:
                return found.decode().strip()
        return None

    async def check(self) -> None:
        """Raise `IntegrityError` unless it is signed by one of our keys, under its own name."""
        content = await self._git.local(self._mirror, "cat-file", "tag", our(self._ref))
        header = (content or b"").partition(b"\n\n")[0].splitlines()
        home = await self._gnupg()
        verified = await self._git.local(
            self._mirror, "-c", "gpg.minTrustLevel=marginal", "verify-tag", our(self._ref),
            gnupg=home,
        )  # fmt: skip
        if verified is None or f"tag {self._name}".encode() not in header:
            raise IntegrityError(
                f"{self} is not signed by a key of --git-gpg-key-import",
                remedy="look at what it names; then sign it anew: git tag -f -s -m 'Sync pointer' "
                f"{self._name} COMMIT && git push --force origin {self._name}; or remove it, and "
                "every commit is checked from the first one on",
            )

    async def move(self, commit: str) -> None:
        """Make it name a commit, here and at the remote."""
        tag = tag_object(self._name, commit, self._tagger, int(time.time()))
        if self._sign is not None:
            tag += await self._sign(tag)
        words = ("hash-object", "-t", "tag", "-w", "--stdin")
        made = await self._git.local(self._mirror, *words, stdin=tag)
        if made is None:
            raise ConfigurationError(
                f"{self} cannot be made in {self._mirror}",
                remedy="check the space there, and who may write there",
            )
        tag_id = made.decode().strip()
        await self._git.push(self._mirror, f"{tag_id}:{self._ref}")
        await self._git.local(self._mirror, "update-ref", our(self._ref), tag_id)


def tag_object(name: str, commit: str, tagger: Tagger, when: int) -> bytes:
    """Give an annotated tag as git stores it (git-mktag(1)); a signature comes behind it."""
    return (
        f"object {commit}\ntype commit\ntag {name}\n"
        f"tagger {tagger.name.strip()} <{tagger.email.strip()}> {when} +0000\n\n{MESSAGE}\n"
    ).encode()
