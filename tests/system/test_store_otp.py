"""Our one-time passwords are those of the real gopass 1.16, from the same texts."""

from __future__ import annotations

import time

import pytest

from flux_secret.store.format.otp import otp
from simulators.gopass import PlainStore

SECRET = b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
OTHER = b"JBSWY3DPEHPK3PXP"
URL = b"otpauth://totp/Example:alice@example.org?secret=" + SECRET + b"&issuer=Example"
COUNTED = b"otpauth://hotp/x?secret=" + SECRET


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        OTHER + b"\n",
        b"pw\ntotp: " + SECRET,
        b"pw\ntotp: " + OTHER.lower() + b"\n",
        b"pw\ntotp: " + URL,
        b"pw\n" + URL,
        b"pw\n" + URL + b"&digits=8&period=60&algorithm=SHA256\n",
        b"pw\n" + URL + b"&algorithm=SHA512&encoder=steam&digits=5\n",
        b"pw\notpauth: " + URL.removeprefix(b"otpauth:"),
        b"pw\notpauth: " + URL,
        b"pw\n" + URL + b"\notpauth: " + URL.replace(SECRET, OTHER),
        b"pw\ntotp: " + OTHER + b"\n" + URL + b"\n",
        b"pw\nhotp: " + OTHER + b"\ntotp: " + SECRET,
        b"pw\n---\ntotp: " + SECRET + b"\n",
        b"pw\n" + URL + b"\n---\ntotp: " + OTHER + b"\n",
    ],
    ids=range(15),
)
def test_a_timed_token_is_gopass_s(plain_store: PlainStore, text: bytes) -> None:
    plain_store.put(text)
    before = time.time()
    code, printed = plain_store.run("otp", "-o", "entry")
    after = time.time()
    assert code == 0
    assert printed in {otp(text, now).token + b"\n" for now in (before, after)}
    assert plain_store.text() == text


@pytest.mark.parametrize(
    "text",
    [
        b"pw\nhotp: " + SECRET + b"\n",
        b"pw\nhotp: " + SECRET + b"\ncounter: 7\nbody\n",
        b"pw\nhotp: " + SECRET + b"\ncounter: 0\n",
        b"pw\nhotp: " + COUNTED + b"&digits=8\n",
        b"pw\n" + COUNTED + b"&counter=5\n",
        b"pw\nhotp: " + SECRET + b"\ncounter: 99999\n",
    ],
)
def test_a_counted_token_and_the_raised_counter_are_gopass_s(
    plain_store: PlainStore, text: bytes
) -> None:
    plain_store.put(text)
    ours = otp(text, 0)
    assert plain_store.run("otp", "-o", "entry") == (0, ours.token + b"\n")
    assert plain_store.text() == ours.text


def test_a_counter_in_yaml_is_the_same_number_for_gopass(plain_store: PlainStore) -> None:
    ours = otp(b"pw\n---\n# c\ncounter: 7 # now\nhotp: " + SECRET + b"\n", 0)
    assert ours.text is not None
    assert plain_store.show(ours.text, "counter") == (0, b"8")


@pytest.mark.parametrize("text", [b"pw!\n", b"pw\ntotp: x1\n", b"pw\n" + URL.replace(SECRET, b"1")])
def test_what_gopass_refuses_we_refuse(plain_store: PlainStore, text: bytes) -> None:
    plain_store.put(text)
    assert plain_store.run("otp", "-o", "entry")[0] != 0
    with pytest.raises(Exception, match="one-time password"):
        otp(text, 0)
