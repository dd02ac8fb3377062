"""An entry's text and the time → its one-time password, from where gopass takes the secret.

The first of these counts (facts: gopass §3.5):

1. the key `otpauth`; a bare `//…` is meant to follow `otpauth:`
2. a line of the body that begins with `otpauth://`
3. the key `totp`, then the key `hotp`: a secret, or a whole URL
4. the password, as a secret for TOTP

Where gopass would guess, nothing is guessed: an unknown algorithm is SHA-1 there, and a counter
that is no number begins anew at 1, which hands out tokens that are spent.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from flux_secret.errors import EntryFormatError, KeyNotFoundError
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.format.edit import set_key

COUNTER: Final = "counter"
_SCHEME: Final = b"otpauth:"
_DIGITS: Final = range(1, 11)  # of a token: RFC 4226 §5.3 cuts it from 31 bits
_PERIODS: Final = range(1, 86_401)  # seconds
_MAX_COUNTER: Final = 2**64 - 1
_ALGORITHMS: Final = {"": "sha1", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512"}
_STEAM: Final = "23456789BCDFGHJKMNPQRTVWXY"


@dataclass(frozen=True, slots=True)
class Otp:
    """A one-time password."""

    token: bytes = field(repr=False)
    seconds_left: int | None
    """How long it is valid; None with a counter."""
    text: bytes | None = field(default=None, repr=False)
    """The entry's text with the counter raised: to be written before the token is shown."""


@dataclass(frozen=True, slots=True)
class _Parameters:
    kind: str
    secret: bytes = field(repr=False)
    algorithm: str = "sha1"
    digits: int = 6
    period: int = 30
    is_steam: bool = False

    def token(self, count: int) -> bytes:
        """Cut a token out of a HMAC (RFC 4226 §5.3)."""
        digest = hmac.digest(self.secret, count.to_bytes(8, "big"), self.algorithm)
        start = digest[-1] & 0xF
        number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
        if not self.is_steam:
            return f"{number % 10**self.digits:0{self.digits}}".encode()
        letters = (number // len(_STEAM) ** at % len(_STEAM) for at in range(self.digits))
        return "".join(_STEAM[at] for at in letters).encode()


def otp(text: bytes, now: float) -> Otp:
    """Give the token at `now`, in seconds since 1970, or the next one of a counter."""
    document = SecretDocument.parse(text)
    parameters = _parameters(document)
    if parameters.kind == "totp":
        count, spent = divmod(int(now), parameters.period)
        return Otp(parameters.token(count), parameters.period - spent)
    count = _counter(document)
    raised = set_key(text, COUNTER, str(count + 1).encode())
    return Otp(parameters.token(count), None, raised)


def _parameters(document: SecretDocument) -> _Parameters:
    where, found, kind = _source(document)
    if not found.startswith(_SCHEME):
        if not kind:
            raise _broken(where, "is no otpauth URL")
        return _Parameters(kind, _secret(where, found.decode(errors="replace")))
    try:
        url = urlsplit(found.decode())
        pairs = parse_qsl(url.query, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise _broken(where, "is no URL") from None
    asked = dict(reversed(pairs))  # of several, the first counts
    if url.netloc not in {"totp", "hotp"}:
        raise _broken(where, "is neither for totp nor for hotp")
    return _Parameters(
        url.netloc,
        _secret(where, asked.get("secret", "")),
        _algorithm(where, asked.get("algorithm", "")),
        _number(where, "digits", asked.get("digits") or "6", _DIGITS),
        _number(where, "period", asked.get("period") or "30", _PERIODS),
        asked.get("encoder", "").lower() == "steam",
    )


def _source(document: SecretDocument) -> tuple[str, bytes, str]:
    """Give where the secret stands, what stands there, and what kind it is without a URL."""
    first = {key: value.partition(b"\n")[0].strip() for key, value in document.keys.items()}
    if "otpauth" in first:
        url = first["otpauth"]
        return "the key 'otpauth'", _SCHEME + url if url.startswith(b"//") else url, ""
    for line in document.body.split(b"\n"):
        if line.startswith(_SCHEME + b"//"):
            return "the otpauth line", line.strip(), ""
    for kind in ("totp", "hotp"):
        if kind in first:
            return f"the key {kind!r}", first[kind], kind
    if not document.password.strip():
        raise KeyNotFoundError(
            "the entry has no secret for one-time passwords",
            remedy="put it into the key `totp` or `hotp`, or an otpauth URL on a line of its own",
        )
    return "the password", document.password.strip(), "totp"


def _secret(where: str, text: str) -> bytes:
    """Decode base32; blanks and dashes, which services print for people, do not count."""
    plain = re.sub(r"[\s-]", "", text).rstrip("=").upper()
    if not plain:
        raise _broken(where, "has no secret")
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8))
    except (binascii.Error, ValueError):  # ValueError: letters that are not ASCII
        raise _broken(where, "is no base32 secret") from None


def _algorithm(where: str, name: str) -> str:
    plain = name.lower().removeprefix("hmac").replace("-", "")
    if plain not in _ALGORITHMS:
        raise _broken(where, "asks for an algorithm other than SHA1, SHA256 or SHA512")
    return _ALGORITHMS[plain]


def _number(where: str, what: str, text: str, allowed: range) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,6}", text) else -1
    if number not in allowed:
        raise _broken(where, f"asks for {what} outside {allowed.start} to {allowed.stop - 1}")
    return number


def _counter(document: SecretDocument) -> int:
    text = document.keys.get(COUNTER, b"").partition(b"\n")[0].strip() or b"1"
    count = int(text) if re.fullmatch(rb"[0-9]{1,20}", text) else -1
    if not 0 <= count < _MAX_COUNTER:
        raise _broken(f"the key {COUNTER!r}", "is no number that can be raised")
    return count or 1  # as gopass


def _broken(where: str, reason: str) -> EntryFormatError:
    return EntryFormatError(
        f"{where} {reason}, so there is no one-time password", remedy="mend it with `edit`"
    )
