"""Headers, a body and the secrets → whether somebody who knows one of them has sent it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from flux_secret.api.webhook.hosts import Host
from flux_secret.model.plaintext import Plaintext

_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}\Z")
MAX_TOKEN: Final = 4096  # characters of a secret that is shown


def shown(host: Host, headers: Mapping[str, str]) -> str:
    """Give what the call shows: a digest, or a secret; empty when it shows none that could be."""
    text = next((headers[name] for name in host.signatures if name in headers), "")
    if host.shows_secret:
        return text if len(text) <= MAX_TOKEN else ""
    digest = text.removeprefix(host.prefix)
    is_whole = text.startswith(host.prefix) and _DIGEST.match(digest)
    return digest.lower() if is_whole else ""


def is_signed(host: Host, proof: str, signed: bytes, secrets: Sequence[Plaintext]) -> bool:
    """Whether `proof`, which `shown` gave, is right for one of the secrets.

    All of them are tried, each in the same time whatever the proof is.
    """
    if not proof:
        return False
    untrusted = proof.encode(errors="surrogateescape")
    right = [_is_right(host, untrusted, signed, secret) for secret in secrets]
    return any(right)


def _is_right(host: Host, untrusted: bytes, signed: bytes, secret: Plaintext) -> bool:
    key = secret.reveal()
    if host.shows_secret:  # digests are equally long: the time does not tell a secret's length
        return hmac.compare_digest(_sha256(key), _sha256(untrusted))
    return hmac.compare_digest(
        hmac.new(key, signed, hashlib.sha256).hexdigest().encode(), untrusted
    )


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
