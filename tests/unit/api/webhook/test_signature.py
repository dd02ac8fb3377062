"""Published vectors of each host's signature; and what is close to one, but is none."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from flux_secret.api.webhook.hosts import BITBUCKET, GENERIC, GITEA, GITHUB, GITLAB, Host
from flux_secret.api.webhook.signature import MAX_TOKEN, is_signed, shown
from flux_secret.model.plaintext import Plaintext

# GitHub's own: docs.github.com, "Testing the webhook payload validation"
GITHUBS_SECRET = b"It's a Secret to Everybody"
GITHUBS_PAYLOAD = b"Hello, World!"
GITHUBS_DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
# RFC 4231, test case 2: a key and data that others published
RFC_SECRET, RFC_DATA = b"Jefe", b"what do ya want for nothing?"
RFC_DIGEST = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
OTHER = Plaintext(b"another secret that is long enough")


def ok(host: Host, headers: dict[str, str], body: bytes, *secrets: bytes) -> bool:
    return is_signed(host, shown(host, headers), body, tuple(map(Plaintext, secrets)))


@pytest.mark.parametrize(
    ("host", "header", "prefix"),
    [
        (GITHUB, "X-Hub-Signature-256", "sha256="),
        (BITBUCKET, "X-Hub-Signature", "sha256="),
        (GENERIC, "X-Signature", "sha256="),
        (GITEA, "X-Gitea-Signature", ""),
        (GITEA, "X-Forgejo-Signature", ""),
    ],
)
def test_published_vectors_are_right_where_each_host_has_them(
    host: Host, header: str, prefix: str
) -> None:
    right = {header: prefix + GITHUBS_DIGEST}
    assert ok(host, right, GITHUBS_PAYLOAD, GITHUBS_SECRET)
    assert ok(host, {header: prefix + RFC_DIGEST}, RFC_DATA, RFC_SECRET)
    assert ok(host, {header: prefix + GITHUBS_DIGEST.upper()}, GITHUBS_PAYLOAD, GITHUBS_SECRET)
    assert not ok(host, right, GITHUBS_PAYLOAD + b"\n", GITHUBS_SECRET)
    assert not ok(host, right, GITHUBS_PAYLOAD, GITHUBS_SECRET + b"\n")
    assert not ok(host, right, GITHUBS_PAYLOAD)
    assert not ok(host, {}, GITHUBS_PAYLOAD, GITHUBS_SECRET)


def test_while_one_secret_replaces_the_other_both_are_valid() -> None:
    headers = {"X-Hub-Signature-256": f"sha256={GITHUBS_DIGEST}"}
    proof = shown(GITHUB, headers)
    assert is_signed(GITHUB, proof, GITHUBS_PAYLOAD, (OTHER, Plaintext(GITHUBS_SECRET)))
    assert is_signed(GITHUB, proof, GITHUBS_PAYLOAD, (Plaintext(GITHUBS_SECRET), OTHER))
    assert not is_signed(GITHUB, proof, GITHUBS_PAYLOAD, (OTHER,))


@pytest.mark.parametrize(
    "text",
    [
        "", "sha256=", GITHUBS_DIGEST, f"sha1={GITHUBS_DIGEST}", f"sha256={GITHUBS_DIGEST[:-1]}",
        f"sha256={GITHUBS_DIGEST}0", f"sha256={GITHUBS_DIGEST}\n", f"sha256= {GITHUBS_DIGEST}",
        f"SHA256={GITHUBS_DIGEST}", "sha256=" + "é" * 64, "sha256=" + "٣" * 64,
    ],
)  # fmt: skip
def test_what_cannot_be_a_signature_is_not_even_compared(text: str) -> None:
    assert shown(GITHUB, {"X-Hub-Signature-256": text}) == ""


def test_githubs_older_header_does_not_count() -> None:
    sha1 = hmac.new(GITHUBS_SECRET, GITHUBS_PAYLOAD, hashlib.sha1).hexdigest()
    assert shown(GITHUB, {"X-Hub-Signature": f"sha1={sha1}"}) == ""
    assert shown(BITBUCKET, {"X-Hub-Signature": f"sha1={sha1}"}) == ""


def test_gitlab_shows_the_secret_itself() -> None:
    token = "a token of gitlab's"
    assert ok(GITLAB, {"X-Gitlab-Token": token}, b"whatever", OTHER.reveal(), token.encode())
    for wrong in ("", "a token of gitlab", token + "s", token.upper(), "\udc80", "x" * 5000):
        assert not ok(GITLAB, {"X-Gitlab-Token": wrong}, b"whatever", token.encode())
    assert shown(GITLAB, {"X-Gitlab-Token": "x" * (MAX_TOKEN + 1)}) == ""
    assert not ok(GITLAB, {}, b"", b"")
