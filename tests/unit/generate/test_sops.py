"""Which files sops is asked about, and what is made of its answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.errors import DecryptError, FluxSecretError, ManifestError, SecretRefError
from flux_secret.generate import sops
from flux_secret.generate.manifests import parse
from flux_secret.generate.plain import load
from flux_secret.generate.sops import SopsFiles
from flux_secret.model.manifest import Manifest
from flux_secret.model.plaintext import Plaintext
from simulators.opener import SimulatedOpener

CLEAR = b"apiVersion: v1\nkind: Secret\nmetadata: {name: demo}\nstringData: {password: hunter2}\n"
METADATA = b"""
sops:
  kms: []
  age: [{recipient: age1abc, enc: x}]
  pgp: [{fp: B08C4203078DE7F9, enc: x}]
  lastmodified: "2026-11-25T10:05:20Z"
  mac: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]
  version: 3.13.3
"""
SEALED = CLEAR.replace(b"hunter2", b'"ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]"') + METADATA


async def made(text: bytes, opener: SimulatedOpener, root: Path) -> list[Manifest]:
    (root / "demo.yaml").write_bytes(text)
    return await load(root, root, SopsFiles(opener.opener().sops, 33.0).opened)


async def test_an_encrypted_file_is_made_of_what_sops_gives(tmp_path: Path) -> None:
    opener = SimulatedOpener({SEALED: CLEAR})
    (manifest,) = await made(SEALED, opener, tmp_path)
    assert manifest.body["stringData"] == {"password": Plaintext(b"hunter2")}
    assert opener.asked == [(SEALED, True, 33.0)]


@pytest.mark.parametrize(
    "text",
    [
        CLEAR,
        CLEAR + b"# sops: is not used here\n",
        CLEAR + b"sops: nothing\n",
        CLEAR + b"sops: {note: of our own}\n",
        CLEAR.replace(b"hunter2", b"'sops: {mac: x}'"),
        SEALED.replace(b"apiVersion: v1\nkind: Secret", b"apiVersion: isindir.github.com/v1alpha3\n"
                       b"kind: SopsSecret"),
    ],
    ids=["plain", "comment", "text", "other-mapping", "in-a-value", "for-an-operator"],
)  # fmt: skip
async def test_what_sops_has_not_encrypted_is_used_as_it_is(tmp_path: Path, text: bytes) -> None:
    opener = SimulatedOpener()
    assert [one.key.name for one in await made(text, opener, tmp_path)] == ["demo"]
    assert opener.asked == []


@pytest.mark.parametrize("first", [0, 1])
async def test_metadata_in_any_document_makes_the_file_encrypted(
    tmp_path: Path, first: int
) -> None:
    parts = [SEALED, CLEAR.replace(b"demo", b"other")]
    text = b"---\n".join(parts[first:] + parts[:first])
    opener = SimulatedOpener({text: CLEAR})
    assert len(await made(text, opener, tmp_path)) == 1


@pytest.mark.parametrize("left", [b"mac", b"lastmodified", b"age"])
async def test_a_part_of_the_metadata_is_enough_to_ask(tmp_path: Path, left: bytes) -> None:
    lines = [line for line in METADATA.splitlines() if line.startswith((b"sops", b"  " + left))]
    text = CLEAR + b"\n".join(lines) + b"\n"
    with pytest.raises(DecryptError):
        await made(text, SimulatedOpener(), tmp_path)


async def test_a_failure_says_it_in_flux_words_with_file_and_recipients(tmp_path: Path) -> None:
    with pytest.raises(DecryptError) as caught:
        await made(SEALED, SimulatedOpener(), tmp_path)
    assert caught.value.what == (
        'unable to read file at "demo.yaml": failed to decrypt file: no key of this agent opens it '
        "(it is encrypted to age1abc, B08C4203078DE7F9)"
    )
    assert caught.value.remedy == "give it one"


async def test_only_so_many_recipients_are_named_and_only_names(tmp_path: Path) -> None:
    keys = b", ".join(b"{recipient: age1%d}" % number for number in range(9))
    text = CLEAR + b"sops: {mac: x, age: [" + keys + b', {recipient: "\\e[2Jage"}]}\n'
    with pytest.raises(DecryptError, match=r"age10, age11, age12, age13, age14 and 4 more\)"):
        await made(text, SimulatedOpener(), tmp_path)


async def test_gpg_is_wanted_only_where_a_recipient_is_an_openpgp_key(tmp_path: Path) -> None:
    text = SEALED.replace(b"  pgp: [{fp: B08C4203078DE7F9, enc: x}]\n", b"")
    opener = SimulatedOpener({text: CLEAR})
    await made(text, opener, tmp_path)
    assert [pgp for _, pgp, _ in opener.asked] == [False]
    groups = b"sops: {mac: x, key_groups: [{age: [{}]}, {pgp: [{}]}]}\n"
    opener = SimulatedOpener({CLEAR + groups: CLEAR})
    await made(CLEAR + groups, opener, tmp_path)
    assert [pgp for _, pgp, _ in opener.asked] == [True]


async def test_a_file_that_only_a_key_service_opens_is_refused_before_anybody_is_asked(
    tmp_path: Path,
) -> None:
    text = CLEAR + b"sops: {mac: x, kms: [{arn: a}], hc_vault: [{vault_address: 'http://x'}]}\n"
    opener = SimulatedOpener({text: CLEAR})
    with pytest.raises(DecryptError, match=r"only a key service can open it \(hc_vault, kms\)"):
        await made(text, opener, tmp_path)
    assert opener.asked == []


async def test_a_reference_that_decrypting_brings_to_light_is_not_followed(tmp_path: Path) -> None:
    hidden = CLEAR.replace(b"hunter2", b"ref+gopass://apps/demo")
    with pytest.raises(SecretRefError, match=r"demo\.yaml has a secret reference in an encrypted"):
        await made(SEALED, SimulatedOpener({SEALED: hidden}), tmp_path)
    seen = SEALED.replace(b"{name: demo}", b"{name: demo, annotations: {a: ref+gopass://a/b}}")
    kept = CLEAR.replace(b"{name: demo}", b"{name: demo, annotations: {a: ref+gopass://a/b}}")
    assert await made(seen, SimulatedOpener({seen: kept}), tmp_path)


async def test_what_is_still_encrypted_after_sops_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is encrypted by sops"):
        await made(SEALED, SimulatedOpener({SEALED: SEALED}), tmp_path)


async def test_the_number_of_encrypted_files_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sops, "MAX_FILES", 1)
    (tmp_path / "another.yaml").write_bytes(SEALED)
    with pytest.raises(ManifestError, match="more than 1 files"):
        await made(SEALED, SimulatedOpener({SEALED: CLEAR}), tmp_path)


async def test_a_broken_encrypted_file_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"demo\.yaml: document 1, line 3"):
        await made(b"a: [\nsops: {mac: x}\n", SimulatedOpener(), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        SEALED,
        b"kind: ENC[AES256_GCM,data:x]\napiVersion: ENC[AES256_GCM,data:x]\n" + METADATA,
        CLEAR + b"---\n" + SEALED,
        b"apiVersion: v1\nkind: List\nitems:\n- {kind: Secret, apiVersion: v1, sops: {mac: x}}\n",
    ],
    ids=["values", "whole", "second", "in-a-list"],
)
def test_without_the_flag_ciphertext_is_an_error_that_names_file_and_flag(text: bytes) -> None:
    with pytest.raises(ManifestError, match=r"demo\.yaml.* is encrypted by sops") as caught:
        list(parse(text, "demo.yaml"))
    assert "--sops" in caught.value.remedy


async def test_every_kind_of_failure_keeps_its_kind(tmp_path: Path) -> None:
    class StrangeError(FluxSecretError):
        exit_code = 5

    async def fails(_text: bytes, *, pgp: bool, timeout_seconds: float) -> Plaintext:
        raise StrangeError(f"out of order {pgp} {timeout_seconds}", remedy="mend it")

    (tmp_path / "demo.yaml").write_bytes(SEALED)
    with pytest.raises(StrangeError, match=r'"demo\.yaml": failed to decrypt file: out of order'):
        await load(tmp_path, tmp_path, SopsFiles(fails, 1.0).opened)
