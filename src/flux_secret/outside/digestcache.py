"""A person's cache of keyed digests: what an old version of an entry held, without holding it.

One file a store, below `$XDG_CACHE_HOME/flux-secret/digests`, and one key of 32 random bytes for
all, both for their owner alone. What is damaged, too large, or of another key counts as not there
(ADR 0027).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from flux_secret.outside.files import write_atomic

KEY_BYTES: Final = 32
MAX_BYTES: Final = 64 * 1024 * 1024  # of one store's file
MAX_RECORDS: Final = 200_000  # of one store
MAX_STORES: Final = 64
_FORMAT: Final = b"flux-secret digests 1\n"
_MAC: Final = 64  # hex digits of the file's own HMAC


class DigestCache:
    """What is remembered of one store's versions: git's blob id → some bytes."""

    def __init__(self, folder: Path, store: str) -> None:
        """`store` is whatever tells one store from another: where its repository lies."""
        self._folder = folder / "digests"
        self.problem = ""
        """Why nothing can be kept; empty when all is well."""
        key = self._key()
        self.key = _derived(key, "values")
        """For digests of values: nobody without it can try guesses."""
        self._mac = _derived(key, "files")
        self._file = self._folder / f"{hmac.digest(self._mac, store.encode(), 'sha256').hex()[:32]}"
        self.records = self._read()
        self._written = frozenset(self.records)

    def keep(self, blobs: Collection[str]) -> None:
        """Write the records of these blobs, and forget all others."""
        if self.problem:
            return
        kept = sorted(self.records.keys() & set(blobs))[:MAX_RECORDS]
        if self._written == frozenset(kept):  # a blob's record never changes
            return
        records = {blob: base64.b64encode(self.records[blob]).decode() for blob in kept}
        body = json.dumps(records, separators=(",", ":")).encode()
        mac = hmac.digest(self._mac, body, "sha256").hex().encode()
        try:
            write_atomic(self._file, _FORMAT + mac + b"\n" + body)
            self._written = frozenset(kept)
            self._make_room()
        except OSError as failure:
            self.problem = f"{self._folder} cannot be written: {failure.strerror}"

    def _key(self) -> bytes:
        """Give the key of this person; a new one where there is none that only they could read."""
        path = self._folder / "key"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            found = _own_file(path, KEY_BYTES)
            if found is None or len(found) != KEY_BYTES:
                write_atomic(path, secrets.token_bytes(KEY_BYTES))
                found = path.read_bytes()  # two that begin at once take the one that stays
        except OSError as failure:
            self.problem = f"{self._folder} cannot be written: {failure.strerror}"
            return secrets.token_bytes(KEY_BYTES)
        return found

    def _read(self) -> dict[str, bytes]:
        data = _own_file(self._file, MAX_BYTES) or b""
        if not data.startswith(_FORMAT):
            return {}
        mac, _, body = data.removeprefix(_FORMAT).partition(b"\n")
        if not hmac.compare_digest(hmac.digest(self._mac, body, "sha256").hex().encode(), mac):
            return {}
        try:
            return {blob: base64.b64decode(text) for blob, text in json.loads(body).items()}
        except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
            return {}  # written by a version of ours that knew better

    def _make_room(self) -> None:
        """Forget the stores of which nothing new was decrypted for longest."""
        files = [path for path in self._folder.iterdir() if path.name != "key"]
        for path in sorted(files, key=lambda one: -one.stat().st_mtime)[MAX_STORES:]:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"flux-secret {purpose}".encode(), "sha256")


def _own_file(path: Path, limit: int) -> bytes | None:
    """Read a file that nobody else can read or write; None for any other, and for none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        is_own = about.st_uid == os.geteuid() and not about.st_mode & 0o077
        if not stat.S_ISREG(about.st_mode) or not is_own or about.st_size > limit:
            return None
        return file.read(limit + 1)[:limit]
