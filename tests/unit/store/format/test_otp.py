"""One-time passwords: the RFCs' own numbers, gopass's order of sources, nothing guessed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import AccessError, EntryFormatError, KeyNotFoundError
from flux_secret.store.format.edit import to_binary
from flux_secret.store.format.otp import Otp, otp
from simulators import texts

ASCII = b"12345678901234567890"
SECRET = base64.b32encode(ASCII)
SEEDS = {"SHA1": ASCII, "SHA256": ASCII + ASCII[:12], "SHA512": ASCII * 3 + ASCII[:4]}
# RFC 4226, appendix D
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871"]
# RFC 6238, appendix B
TOTP = [
    (59, "SHA1", "94287082"), (59, "SHA256", "46119246"), (59, "SHA512", "90693936"),
    (1111111109, "SHA1", "07081804"), (1111111109, "SHA256", "68084774"),
    (1111111109, "SHA512", "25091201"), (1111111111, "SHA1", "14050471"),
    (1234567890, "SHA256", "91819424"), (2000000000, "SHA512", "38618901"),
    (20000000000, "SHA1", "65353130"), (20000000000, "SHA512", "47863826"),
]  # fmt: skip


def url(kind: str = "totp", secret: bytes = SECRET, more: str = "") -> bytes:
    return f"otpauth://{kind}/Example:alice?secret={secret.decode()}{more}".encode()


def token(text: bytes, now: float = 59) -> str:
    return otp(text, now).token.decode()


@pytest.mark.parametrize(("count", "expected"), list(enumerate(HOTP))[1:])
def test_counted_tokens_are_those_of_rfc_4226(count: int, expected: str) -> None:
    text = b"pw\nhotp: " + SECRET + b"\ncounter: %d\n" % count
    assert token(text) == expected


@pytest.mark.parametrize(("now", "algorithm", "expected"), TOTP)
def test_timed_tokens_are_those_of_rfc_6238(now: int, algorithm: str, expected: str) -> None:
    line = url(secret=base64.b32encode(SEEDS[algorithm]).rstrip(b"="),
               more=f"&digits=8&algorithm={algorithm}&period=30")  # fmt: skip
    assert token(b"pw\n" + line + b"\n", now) == expected


@pytest.mark.parametrize(
    ("now", "left"), [(0, 30), (1, 29), (29.9, 1), (30, 30), (1_000_000_019, 1)]
)
def test_a_timed_token_says_how_long_it_lasts(now: float, left: int) -> None:
    assert otp(SECRET, now).seconds_left == left


FIRST, OTHER = "287082", b"JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        b"pw\ntotp: " + SECRET,
        b"pw\ntotp: " + url(),
        b"pw\n" + url(),
        b"pw\notpauth: " + url().removeprefix(b"otpauth:"),
        b"pw\notpauth: " + url(),
        b"pw\n---\ntotp: " + SECRET,
        b"pw\n---\notpauth: " + url(),
        b"pw\n" + url() + b"\n---\na: b\n",
        # the earlier source counts
        OTHER + b"\ntotp: " + SECRET,
        b"pw\nhotp: " + OTHER + b"\ntotp: " + SECRET,
        b"pw\ntotp: " + OTHER + b"\n" + url(),
        b"pw\n" + url(secret=OTHER) + b"\notpauth: " + url(),
        b"pw\n" + url() + b"\n" + url(secret=OTHER),
        b"pw\ntotp: " + SECRET + b"\ntotp: " + OTHER,
        # written for people
        b"pw\ntotp: gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
        b"pw\ntotp: GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ====",
        b"pw\n" + url(more="&algorithm=HmacSHA1&digits=&period=&image=x&secret=JBSWY3DP"),
        b"pw\n" + url(more="&algorithm=SHA-1&issuer=a%20b%3Ac"),
        b"GOPASS-SECRET-1.0\nPassword: pw\nTotp: " + SECRET + b"\n\nbody\n",
    ],
)
def test_the_secret_is_found_where_gopass_finds_it(text: bytes) -> None:
    assert token(text) == FIRST


@pytest.mark.parametrize("secret", [b"JBSWY3DPEHPK3PXP", b"JBSWY3DP", b"MY"])
def test_short_secrets_of_older_services_work(secret: bytes) -> None:
    assert len(token(b"pw\ntotp: " + secret)) == 6


def test_steam_has_letters_of_its_own() -> None:
    made = token(b"pw\n" + url(more="&encoder=steam&digits=5"))
    assert len(made) == 5
    assert set(made) <= set("23456789BCDFGHJKMNPQRTVWXY")


def test_a_period_and_digits_of_its_own_are_kept() -> None:
    text = b"pw\n" + url(more="&period=60&digits=10")
    assert otp(text, 61).seconds_left == 59
    assert len(token(text)) == 10


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        (b"pw\nhotp: " + SECRET, b"pw\nhotp: " + SECRET + b"\ncounter: 2\n"),
        (b"pw\r\ncounter: 1\r\nhotp: " + SECRET, b"pw\r\ncounter: 2\r\nhotp: " + SECRET),
        (b"pw\ncounter: 0\nhotp: " + SECRET, b"pw\ncounter: 2\nhotp: " + SECRET),
        (b"pw\n" + url("hotp", more="&counter=7"),
         b"pw\n" + url("hotp", more="&counter=7") + b"\ncounter: 2\n"),
        (b"pw\n---\n# c\ncounter: 1 # now\nhotp: " + SECRET,
         b'pw\n---\n# c\ncounter: "2" # now\nhotp: ' + SECRET),
    ],
)  # fmt: skip
def test_a_counter_is_raised_in_the_text_and_nothing_else_is(text: bytes, raised: bytes) -> None:
    made = otp(text, 0)
    assert made == Otp(FIRST.encode(), None, raised)
    assert made.text is not None
    assert otp(made.text, 0).token == b"359152"


def test_no_token_is_given_whose_counter_cannot_be_kept() -> None:
    mime = b"GOPASS-SECRET-1.0\nPassword: pw\nHotp: " + SECRET + b"\n\nbody\n"
    with pytest.raises(EntryFormatError, match="MIME"):
        otp(mime, 0)


def test_nothing_of_a_token_is_shown() -> None:
    made = otp(b"pw\nhotp: " + SECRET, 0)
    assert "287082" not in repr(made)
    assert SECRET.decode() not in repr(made)


@pytest.mark.parametrize("text", [b"", b"\n", b"\nuser: a\n", b" \n---\na: b\n"])
def test_an_entry_without_any_secret_says_where_one_could_stand(text: bytes) -> None:
    with pytest.raises(KeyNotFoundError, match="no secret") as caught:
        otp(text, 0)
    assert "totp" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"hunter2!", "the password is no base32 secret"),
        (b"pw\ntotp: hunter1", "the key 'totp' is no base32 secret"),
        (b"pw\ntotp: A", "is no base32 secret"),
        (b"pw\ntotp: \xc3\xbc\xff", "is no base32 secret"),
        (b"pw\ntotp: ", "has no secret"),
        (b"pw\n" + url(secret=b""), "the otpauth line has no secret"),
        (b"pw\notpauth: hunter2", "the key 'otpauth' is no otpauth URL"),
        (b"pw\n" + url("motp"), "neither for totp nor for hotp"),
        (b"pw\n" + url("TOTP"), "neither for totp nor for hotp"),
        (b"pw\notpauth://[hunter2/x?secret=A", "no URL"),
        (b"pw\n" + url() + b"\xff", "no URL"),
        (b"pw\n" + url(more="&algorithm=MD5"), "algorithm"),
        (b"pw\n" + url(more="&algorithm=SHA224"), "algorithm"),
        (b"pw\n" + url(more="&digits=0"), "digits outside 1 to 10"),
        (b"pw\n" + url(more="&digits=11"), "digits outside 1 to 10"),
        (b"pw\n" + url(more="&digits=six"), "digits outside 1 to 10"),
        (b"pw\n" + url(more="&period=0"), "period outside 1 to 86400"),
        (b"pw\n" + url(more="&period=-1"), "period outside 1 to 86400"),
        (b"pw\ncounter: soon\nhotp: " + SECRET, "the key 'counter' is no number"),
        (b"pw\ncounter: 18446744073709551615\nhotp: " + SECRET, "is no number that can be raised"),
        (to_binary(b"x"), "no secret"),
    ],
)
def test_what_cannot_be_understood_is_refused_without_its_text(text: bytes, reason: str) -> None:
    with pytest.raises(AccessError, match=reason) as caught:
        otp(text, 0)
    assert "hunter" not in f"{caught.value.what}{caught.value.remedy}"


@given(
    st.one_of(
        texts.texts,
        st.builds(
            lambda where, query: where + query,
            st.sampled_from([b"pw\notpauth://totp/x?", b"pw\notpauth: //hotp/x?", b"pw\ntotp: "]),
            st.binary(max_size=40),
        ),
    ),
    st.floats(0, 1e11),
)
def test_every_text_gives_a_token_or_one_of_our_errors(text: bytes, now: float) -> None:
    try:
        made = otp(text, now)
    except AccessError:
        return
    assert 1 <= len(made.token) <= 10
    assert (made.seconds_left is None) != (made.text is None)
