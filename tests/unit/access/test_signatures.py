"""Whatever somebody calls a signature: it is one, or it is said what is wrong with it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_secret.access import sshsig
from flux_secret.access.openpgp import Certificates
from flux_secret.access.signatures import MAX_CHECKS, Signatures
from flux_secret.model.identity import SshPublic
from flux_secret.model.ownerkey import OwnerKey


def part(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def public(kind: bytes = b"ssh-ed25519") -> bytes:
    return part(kind) + part(b"k" * 32)


def armored(blob: bytes) -> bytes:
    return (
        b"-----BEGIN SSH SIGNATURE-----\n" + base64.b64encode(blob) +
        b"\n-----END SSH SIGNATURE-----\n"
    )  # fmt: skip


def ssh_signature(key: bytes, version: int = 1) -> bytes:
    return armored(b"SSHSIG" + version.to_bytes(4, "big") + part(key) + part(b"ns"))


KEY = OwnerKey.parse(f"ssh-ed25519 {base64.b64encode(public()).decode()}")


def test_the_key_that_a_signature_names_is_found() -> None:
    assert sshsig.claimed(ssh_signature(public())) == KEY


@pytest.mark.parametrize(
    "signature",
    [
        b"", b"-----BEGIN SSH SIGNATURE-----", armored(b""), armored(b"SSHSIG"),
        armored(b"OTHER\0" + b"x" * 99), ssh_signature(public(), version=2), ssh_signature(b"x"),
        ssh_signature(public(b"ssh-dss")), ssh_signature(public(b"ssh-ed25519-cert-v01@x")),
        ssh_signature(public(b"\xff\xff")), b"x" + ssh_signature(public()),
    ],
)  # fmt: skip
def test_what_is_no_signature_of_a_usable_key_names_none(signature: bytes) -> None:
    assert sshsig.claimed(signature) is None


@given(st.binary(max_size=200))
def test_any_bytes_name_a_key_or_none(some: bytes) -> None:
    assert sshsig.claimed(armored(b"SSHSIG" + some)) in {None, KEY}
    assert sshsig.claimed(some) is None


async def test_no_program_is_started_for_keys_of_nobody_nor_without_end() -> None:
    asked: list[SshPublic] = []

    async def verify(_message: bytes, _signature: bytes, key: SshPublic, _namespace: str) -> bool:
        asked.append(key)
        return False

    signature = ssh_signature(public())
    nobodys = Signatures(Certificates(), verify, frozenset)
    assert (await nobodys.check(b"m", signature, "ns")).problem == "that key is of no owner"
    assert not asked
    owners = Signatures(Certificates(), verify, lambda: {KEY})
    for _ in range(MAX_CHECKS + 5):
        signer = await owners.check(b"m", signature, "ns")
    assert len(asked) == MAX_CHECKS
    assert "more than" in signer.problem


@settings(max_examples=20, deadline=None)  # sequoia's errors are slow where RUST_BACKTRACE is set
@given(st.binary(max_size=300))
async def test_any_bytes_are_no_good_signature(some: bytes) -> None:
    async def verify(*_words: object) -> bool:
        return False

    signatures = Signatures(Certificates([some]), verify)
    for signature in (some, b"-----BEGIN PGP SIGNATURE-----\n" + some, armored(some)):
        assert (await signatures.check(b"m", signature, "ns")).problem
