"""A branch's name → its full name as a ref; what `ls-remote` lists → commits by ref."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from flux_secret.errors import UsageError

OURS: Final = "refs/flux-secret"
_OBJECT_ID: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_MAX_NAME: Final = 250  # bytes, as file systems have it
# git-check-ref-format(1), rules 1 to 10
_UNUSABLE: Final = re.compile(r"^$|^[-./]|[./]$|\.\.|//|/\.|\.lock(?:/|$)|@\{|^@$|[\s~^:?*\[\\]")


def is_object_id(untrusted: str) -> bool:
    """Whether it is the whole id of an object, of SHA-1 or of SHA-256."""
    return _OBJECT_ID.match(untrusted) is not None


def ref_of(branch: str | None) -> str:
    """Give `refs/heads/BRANCH`, or `HEAD` for a repository's default branch."""
    if branch is None:
        return "HEAD"
    if not _usable(branch):
        raise UsageError(
            f"{branch[:80]!a} is not a branch name", remedy="name one, as in --git-branch main"
        )
    return f"refs/heads/{branch}"


def tag_ref(tag: str) -> str:
    """Give `refs/tags/TAG`."""
    if not _usable(tag):
        raise UsageError(
            f"{tag[:80]!a} is not a tag's name", remedy="name one, as in --git-sync-tag flux-sync"
        )
    return f"refs/tags/{tag}"


def our(ref: str) -> str:
    """Give the name that our mirrors keep a remote's ref under."""
    return f"{OURS}/{ref}"


def digest_of(refs: Mapping[str, str]) -> str:
    """Name a set of refs in 16 hex digits; empty for none."""
    text = "".join(f"{object_id} {ref}\n" for ref, object_id in sorted(refs.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16] if refs else ""


def _usable(name: str) -> bool:
    is_short = len(name.encode(errors="replace")) <= _MAX_NAME
    return name.isprintable() and is_short and not _UNUSABLE.search(name)


def listed(untrusted: bytes) -> dict[str, str]:
    """Read `ls-remote`: ref → object id.

    Its patterns match the end of a name: asked for refs/heads/main, git lists refs/heads/
    x/refs/heads/main first, which whoever may push any branch can make. So refs are compared whole.
    """
    found: dict[str, str] = {}
    for line in untrusted.decode(errors="surrogateescape").splitlines():
        object_id, _, ref = line.partition("\t")
        if _OBJECT_ID.match(object_id):
            found.setdefault(ref, object_id)
    return found
