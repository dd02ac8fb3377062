"""A `Secret`'s manifest → its values as bytes, references read, `stringData` folded into `data`."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from flux_secret.errors import EmptyValueError, ManifestError, SecretRefError
from flux_secret.model.manifest import BundleItem, Holds, Manifest, Value
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import SCHEME, Encoding, SecretRef
from flux_secret.resolve.interface import SecretReader

_FIELDS = ("data", "stringData")
_SCHEME = SCHEME.encode()
_SOPS = b"ENC[AES256_GCM,data:"  # how every value begins that sops has encrypted


def is_secret(manifest: Manifest) -> bool:
    """Whether this is the core `Secret`, the one kind that may hold values."""
    return manifest.key.kind == "Secret" and manifest.key.group == ""


class SecretFolder:
    """Reads the references of `Secret`s for one delivery."""

    def __init__(self, reader: SecretReader) -> None:
        self._reader = reader
        self._given_to_scripts = tuple(value for _, value in reader.handed_out)
        self._followed = set[str]()

    async def foresee(self, manifests: Iterable[Manifest]) -> None:
        """Let the reader record together what all of them refer to; raises `RecordError`.

        A reference that is none is passed over: folding says what is wrong with it.
        """
        asked = []
        for manifest in filter(is_secret, manifests):
            for field, key, value in _fields_of(manifest):
                text = value.reveal() if isinstance(value, Plaintext) else b""
                if text.startswith(_SCHEME) and not self._is_from_a_script(text):
                    with contextlib.suppress(SecretRefError):
                        reference = SecretRef.parse(text.decode(errors="replace"))
                        asked.append(
                            (reference.lookup, _reason(manifest, _where(manifest, field, key)))
                        )
        await self._reader.foresee(asked)

    async def fold(self, manifest: Manifest) -> BundleItem:
        """Give the manifest without `data` and `stringData`, and the values beside it.

        As the API server does, `stringData` wins over `data`; it is folded because server-side
        apply would keep keys that later leave `stringData` for ever (design decision 5).
        """
        values: dict[str, Plaintext] = {}
        self._followed = set[str]()
        for field in _FIELDS:
            section = manifest.body.get(field)
            if section is None:
                continue
            if not isinstance(section, Mapping):
                raise ManifestError(
                    f"{manifest.key.long}: {field} is not a mapping, in {manifest.origin}",
                    remedy=f"write {field} as KEY: VALUE lines",
                )
            for key, value in section.items():
                values[key] = await self._value(manifest, field, key, value)
        body = {name: value for name, value in manifest.body.items() if name not in _FIELDS}
        holds = Holds(tuple(sorted(self._followed)))
        return BundleItem(replace(manifest, body=body), values, holds)

    async def _value(self, manifest: Manifest, field: str, key: str, value: Value) -> Plaintext:
        where = _where(manifest, field, key)
        if value is None:
            raise EmptyValueError(
                f"{where} is null, which would empty the Secret, in {manifest.origin}",
                remedy="a command in the script failed silently; read secrets with `gopass` or "
                f"write {SCHEME}STORE/ENTRY instead",
            )
        if not isinstance(value, Plaintext):
            raise ManifestError(
                f"{where} is not a single value, in {manifest.origin}",
                remedy="quote it, or write it as one line of text",
            )
        text = value.reveal()
        if text.startswith(_SOPS):
            raise ManifestError(
                f"{where} is still encrypted by sops, in {manifest.origin}",
                remedy="let --sops decrypt the whole file, in a target without .flux.yaml",
            )
        if text.startswith(_SCHEME):
            return await self._read(manifest, where, text)
        if _SCHEME in text:
            raise SecretRefError(
                f"{where} has a reference in the middle of a text, in {manifest.origin}",
                remedy=f"a reference is the whole value: {SCHEME}STORE/ENTRY#KEY",
            )
        return value if field == "stringData" else _decoded(text, f"{where}, {manifest.origin},")

    async def _read(self, manifest: Manifest, where: str, text: bytes) -> Plaintext:
        if self._is_from_a_script(text):
            raise SecretRefError(
                f"{where} holds a reference that came out of a secret, in {manifest.origin}",
                remedy="write references in manifests; one inside an entry is never followed",
            )
        reference = SecretRef.parse(text.decode(errors="replace"))
        value = await self._reader.read(reference.lookup, _reason(manifest, where))
        self._followed.add(str(reference.lookup.path))
        if value.is_empty:
            raise EmptyValueError(
                f"{where}: {reference.lookup} is empty, in {manifest.origin}",
                remedy="set a value with `gopass edit`, or remove the key from the manifest",
            )
        if reference.encoding is Encoding.BASE64:
            return _decoded(value.reveal(), f"{reference.lookup}, wanted by {where},")
        return value

    def _is_from_a_script(self, text: bytes) -> bool:
        return any(text in given.reveal() for given in self._given_to_scripts)


def _fields_of(manifest: Manifest) -> Iterator[tuple[str, str, Value]]:
    for field in _FIELDS:
        section = manifest.body.get(field)
        if isinstance(section, Mapping):
            for key, value in section.items():
                yield field, key, value


def _where(manifest: Manifest, field: str, key: str) -> str:
    return f"{manifest.key.long}: {field}.{key}"


def _reason(manifest: Manifest, where: str) -> str:
    """Say for the record who asks."""
    return f"{where}, in {manifest.origin}"


def _decoded(text: bytes, what: str) -> Plaintext:
    """Decode as the API server does: standard alphabet, line breaks ignored (RFC 4648 §4)."""
    try:
        return Plaintext(base64.b64decode(text.translate(None, b"\r\n"), validate=True))
    except binascii.Error:
        raise ManifestError(
            f"{what} is not base64",
            remedy="write plain text under stringData, or encode it with `base64 -w0`",
        ) from None  # the cause quotes nothing, yet nothing of a value may travel with an error
