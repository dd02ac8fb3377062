"""Manifests → Bundle: what is filled in, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import (
    EmptyValueError,
    EntryNotFoundError,
    FluxSecretError,
    LeakError,
    ManifestError,
    SecretRefError,
)
from flux_secret.model.manifest import Bundle, Manifest, Manifests, Origin
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.resolve.resolver import Resolver

ORIGIN = Origin("demo/.flux.yaml: ./secrets.yaml.sh")


class FakeReader:
    """Answers from a mapping of `str(lookup)` to bytes."""

    def __init__(self, entries: Mapping[str, bytes]) -> None:
        self._entries = entries
        self._handed_out: list[tuple[Lookup, Plaintext]] = []

    async def read(self, lookup: Lookup, reason: str = "") -> Plaintext:
        del reason
        if str(lookup) not in self._entries:
            raise EntryNotFoundError(f"no entry {lookup}")
        value = Plaintext(self._entries[str(lookup)])
        self._handed_out.append((lookup, value))
        return value

    async def foresee(self, asked: Iterable[tuple[Lookup, str]]) -> None:
        self.foreseen = [(str(lookup), reason) for lookup, reason in asked]

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        return self._handed_out


def manifest(kind: str, body: Mapping[str, Any], group: str = "") -> Manifest:
    return Manifest(ObjectKey(group, kind, "dev-demo", "demo"), "v1", body, ORIGIN)


def secret(**sections: Mapping[str, Any]) -> Manifest:
    wrapped = {
        section: {
            key: Plaintext(value.encode()) if isinstance(value, str) else value
            for key, value in values.items()
        }
        for section, values in sections.items()
    }
    return manifest("Secret", {"kind": "Secret", "type": "Opaque", **wrapped})


async def resolve(*manifests: Manifest, reader: FakeReader | None = None) -> Bundle:
    return await Resolver().resolve(Manifests(manifests), reader or FakeReader({}))


def values(bundle: Bundle) -> dict[str, bytes]:
    return {key: value.reveal() for key, value in bundle.items[0].secret_data.items()}


async def test_a_reference_becomes_the_bytes_of_the_entry() -> None:
    reader = FakeReader({"apps/demo/db (password)": b"hunter2 hunter2"})
    bundle = await resolve(
        secret(stringData={"password": "ref+gopass://apps/demo/db#password"}), reader=reader
    )
    assert values(bundle) == {"password": b"hunter2 hunter2"}


async def test_string_data_wins_over_data_and_both_leave_the_body() -> None:
    bundle = await resolve(
        secret(data={"a": "b2xk", "b": "a2VlcA=="}, stringData={"a": "new"}),
    )
    assert values(bundle) == {"a": b"new", "b": b"keep"}
    assert bundle.items[0].manifest.body == {"kind": "Secret", "type": "Opaque"}


async def test_a_reference_in_data_is_not_decoded_twice() -> None:
    reader = FakeReader({"apps/demo": b"aGVsbG8="})
    bundle = await resolve(secret(data={"a": "ref+gopass://apps/demo"}), reader=reader)
    assert values(bundle) == {"a": b"aGVsbG8="}


async def test_encoding_base64_decodes_what_the_entry_holds() -> None:
    reader = FakeReader({"apps/demo": b"aGVs\nbG8=\n"})
    bundle = await resolve(
        secret(stringData={"a": "ref+gopass://apps/demo?encoding=base64"}), reader=reader
    )
    assert values(bundle) == {"a": b"hello"}


@pytest.mark.parametrize("section", ["data", "stringData"])
async def test_null_is_refused_because_it_would_empty_the_secret(section: str) -> None:
    with pytest.raises(EmptyValueError, match=rf"secret/demo in dev-demo: {section}\.demosecret"):
        await resolve(secret(**{section: {"demosecret": None}}))


async def test_an_entry_that_is_empty_is_refused() -> None:
    with pytest.raises(EmptyValueError, match="apps/demo is empty"):
        await resolve(
            secret(stringData={"a": "ref+gopass://apps/demo"}),
            reader=FakeReader({"apps/demo": b""}),
        )


async def test_data_that_is_no_base64_is_refused_without_quoting_it() -> None:
    with pytest.raises(ManifestError, match=r"data\.a, .* is not base64") as caught:
        await resolve(secret(data={"a": "s3cr3t!!"}))
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert "s3cr3t" not in repr([(str(error), getattr(error, "args", ())) for error in chain])


@pytest.mark.parametrize("section", ["data", "stringData"])
async def test_ciphertext_of_sops_is_no_value(section: str) -> None:
    sealed = "ENC[AES256_GCM,data:F+vT4MYw,iv:Kh3bSpgT8,tag:QmT==,type:str]"
    with pytest.raises(ManifestError, match=rf"{section}\.a is still encrypted by sops") as caught:
        await resolve(secret(**{section: {"a": sealed}}))
    assert "--sops" in caught.value.remedy


async def test_a_reference_outside_a_secret_is_refused() -> None:
    body = {"data": {"url": "ref+gopass://apps/demo"}}
    with pytest.raises(SecretRefError, match=r"at data\.url"):
        await resolve(manifest("ConfigMap", body))


async def test_a_reference_in_a_secrets_annotation_is_refused() -> None:
    body = {"metadata": {"annotations": {"note": "ref+gopass://apps/demo"}}}
    with pytest.raises(SecretRefError, match=r"metadata\.annotations\.note"):
        await resolve(manifest("Secret", body))


async def test_a_reference_that_came_out_of_a_secret_is_never_followed() -> None:
    reader = FakeReader({"apps/evil": b"ref+gopass://apps/other", "apps/other": b"value of other"})
    await reader.read(lookup("apps/evil"))
    with pytest.raises(SecretRefError, match="came out of a secret"):
        await resolve(secret(stringData={"a": "ref+gopass://apps/other"}), reader=reader)


async def test_a_foreign_kind_named_secret_is_not_a_secret() -> None:
    with pytest.raises(SecretRefError):
        await resolve(
            manifest("Secret", {"data": {"a": "ref+gopass://apps/demo"}}, group="example.org")
        )


def lookup(name: str) -> Lookup:
    from flux_secret.model.names import SecretPath

    return Lookup(SecretPath.parse(name))


SECRET = b"correct horse battery staple"


@pytest.mark.parametrize(
    "shown",
    [
        SECRET.decode(),
        f"jdbc:postgres://user:{SECRET.decode()}@db",
        base64.b64encode(SECRET).decode(),
        base64.b64encode(SECRET + b"\n").decode(),
        base64.encodebytes(SECRET * 4).decode(),
        "token=" + base64.b64encode(b"x:" + SECRET).decode(),
        base64.urlsafe_b64encode(SECRET).decode().rstrip("="),
    ],
)
async def test_a_value_outside_a_secret_refuses_the_target(shown: str) -> None:
    reader = FakeReader({"apps/demo": SECRET + b"\nurl: x\n"})
    await reader.read(lookup("apps/demo"))
    body = {"spec": {"containers": [{"env": [{"name": "A", "value": shown}]}]}}
    with pytest.raises(
        LeakError, match=r"apps/demo at spec\.containers\[0\]\.env\[0\]\.value"
    ) as it:
        await resolve(manifest("Deployment", body, "apps"), reader=reader)
    assert SECRET.decode() not in str(it.value)


async def test_a_value_as_a_mapping_key_is_found_too() -> None:
    reader = FakeReader({"apps/demo": SECRET})
    await reader.read(lookup("apps/demo"))
    with pytest.raises(LeakError):
        await resolve(manifest("ConfigMap", {"data": {SECRET.decode(): "x"}}), reader=reader)


async def test_a_value_read_for_one_secret_is_looked_for_in_the_others() -> None:
    reader = FakeReader({"apps/demo": SECRET})
    with pytest.raises(LeakError):
        await resolve(
            manifest("ConfigMap", {"data": {"a": SECRET.decode()}}),
            secret(stringData={"a": "ref+gopass://apps/demo"}),
            reader=reader,
        )


async def test_a_short_value_is_found_only_as_the_whole_scalar() -> None:
    reader = FakeReader({"apps/demo": b"admin\n"})
    await reader.read(lookup("apps/demo"))
    await resolve(manifest("ConfigMap", {"data": {"a": "administrator"}}), reader=reader)
    with pytest.raises(LeakError):
        await resolve(manifest("ConfigMap", {"data": {"a": "admin"}}), reader=reader)


@given(st.binary(min_size=8, max_size=64).filter(lambda value: value.rstrip(b"\r\n") == value),
       st.binary(max_size=9), st.binary(max_size=9))  # fmt: skip
async def test_no_neighbours_hide_a_value_in_base64(
    value: bytes, left: bytes, right: bytes
) -> None:
    reader = FakeReader({"apps/demo": value})
    await reader.read(lookup("apps/demo"))
    shown = "x " + base64.b64encode(left + value + right).decode() + " y"
    with pytest.raises(LeakError):
        await resolve(manifest("ConfigMap", {"data": {"a": shown}}), reader=reader)


@given(st.text(max_size=40))
async def test_any_text_in_a_secret_gives_bytes_or_our_error(text: str) -> None:
    try:
        bundle = await resolve(secret(stringData={"a": text}))
    except FluxSecretError:
        return
    assert values(bundle) == {"a": text.encode()}
