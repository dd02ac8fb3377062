from __future__ import annotations

import pytest

from flux_secret.apply.digest import DigestKey, hkdf
from flux_secret.errors import BugError
from flux_secret.model.plaintext import Plaintext

KEY = DigestKey(Plaintext(bytes(range(32))))


def test_the_derivation_is_rfc_5869s() -> None:
    """RFC 5869 appendix A, test case 1: the first 32 bytes of its OKM."""
    made = hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    assert made.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


def test_equal_values_show_only_within_one_purpose_namespace_and_key() -> None:
    value = Plaintext(b"hunter2")
    one = KEY.digest("objects", "demo", value)
    assert one == KEY.digest("objects", "demo", Plaintext(b"hunter2"))
    others = {
        KEY.digest("objects", "prod", value),
        KEY.digest("audit", "demo", value),
        KEY.digest("objects", "demo", Plaintext(b"hunter3")),
        DigestKey(Plaintext(bytes(32))).digest("objects", "demo", value),
        KEY.digest("object", "s\0demo", value),
    }
    assert len(others | {one}) == 6


def test_a_short_key_is_a_bug() -> None:
    with pytest.raises(BugError):
        DigestKey(Plaintext(b"short"))
