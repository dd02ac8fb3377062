"""A file that sops has encrypted → its clear text, of which every object is made (ADR 0015).

As under Flux v1 files of plain trees are decrypted, never what a command prints (facts: flux-v1
§5):

1. Encrypted is a file with sops' metadata at the top of one of its documents; any other is used as
   it is.
2. What sops does not decrypt, whole and unchanged, fails the target.
3. Such a document is never an object itself: ciphertext does not reach the cluster.
4. A reference that only decrypting brings to light is not followed: nobody could review it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from flux_secret.errors import DecryptError, FluxSecretError, ManifestError, SecretRefError
from flux_secret.generate.interface import DecryptSops
from flux_secret.generate.yamltree import documents
from flux_secret.model.manifest import Origin
from flux_secret.model.reference import SCHEME

MAX_FILES: Final = 1_000  # of one target that sops decrypts
_NAME: Final = "sops"
_OURS: Final = frozenset({"pgp", "age"})
_KEYS: Final = frozenset({*_OURS, "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"})
_METADATA: Final = frozenset({*_KEYS, "key_groups", "mac", "lastmodified"})
_RECIPIENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 +/=-]{0,127}\Z")
_MAX_SHOWN: Final = 5  # recipients
# The operator of that name takes such objects as they are, metadata included, and decrypts them.
_OPERATOR: Final = ("SopsSecret", "isindir.github.com/")


def is_encrypted(node: yaml.Node) -> bool:
    """Whether a document has sops' metadata, and is not meant to be delivered with it."""
    return _metadata(node) is not None


def refuse(node: yaml.Node, origin: Origin) -> None:
    """Raise `ManifestError` when a document is encrypted."""
    if is_encrypted(node):
        raise ManifestError(
            f"{origin} is encrypted by sops, and would be delivered as ciphertext",
            remedy="--sops decrypts the files of a target without .flux.yaml; what a command "
            "prints is not decrypted",
        )


class SopsFiles:
    """Opens the files of one target."""

    def __init__(self, decrypt: DecryptSops, timeout_seconds: float) -> None:
        self._decrypt = decrypt
        self._timeout_seconds = timeout_seconds
        self._count = 0

    async def opened(self, text: bytes, source: str) -> bytes:
        """Give the clear text, or the text itself when it is not encrypted."""
        seal = _seal(text, source) if _NAME.encode() in text else None
        if seal is None:
            return text
        self._count += 1
        if self._count > MAX_FILES:
            raise ManifestError(
                f"more than {MAX_FILES} files are encrypted by sops", remedy="make several targets"
            )
        try:
            seal.check()
            given = await self._decrypt(
                text, pgp="pgp" in seal.kinds, timeout_seconds=self._timeout_seconds
            )
        except FluxSecretError as failure:
            raise _explained(failure, source, seal) from None
        clear = given.reveal()
        if clear.count(SCHEME.encode()) > text.count(SCHEME.encode()):
            raise SecretRefError(
                f"{source} has a secret reference in an encrypted value",
                remedy="write the reference in the clear: it names a secret and holds none",
            )
        return clear


@dataclass(frozen=True, slots=True)
class _Seal:
    """Who can open a file, as its metadata says."""

    kinds: frozenset[str]
    recipients: tuple[str, ...]

    def check(self) -> None:
        """Raise `DecryptError` when only services are asked that are never asked here."""
        if self.kinds and not self.kinds & _OURS:
            raise DecryptError(
                f"only a key service can open it ({', '.join(sorted(self.kinds))}), and none is "
                "asked here",
                remedy="encrypt it to a key of this agent too: sops rotate --in-place --add-age "
                "AGE, or --add-pgp FINGERPRINT",
            )


def _explained(failure: FluxSecretError, source: str, seal: _Seal) -> FluxSecretError:
    """Say which file it was, in Flux v1's own words."""
    what = f'unable to read file at "{source}": failed to decrypt file: {failure.what}'
    if isinstance(failure, DecryptError) and seal.recipients:
        more = len(seal.recipients) - _MAX_SHOWN
        named = ", ".join(seal.recipients[:_MAX_SHOWN]) + f" and {more} more" * (more > 0)
        what += f" (it is encrypted to {named})"
    return type(failure)(what, remedy=failure.remedy)


def _seal(text: bytes, source: str) -> _Seal | None:
    """Read the metadata; None when no document has any."""
    found = [
        metadata for _, node in documents(text, source) if (metadata := _metadata(node)) is not None
    ]
    if not found:
        return None
    kinds: set[str] = set()
    recipients: dict[str, None] = {}
    for metadata in found:
        for kind, key in _keys(metadata):
            kinds.add(kind)
            named = _fields(key)
            for name in ("recipient", "fp"):
                value = named.get(name)
                if isinstance(value, yaml.ScalarNode) and _RECIPIENT.match(value.value):
                    recipients[value.value] = None
    return _Seal(frozenset(kinds), tuple(recipients))


def _keys(metadata: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
    """Give each key that can open the file, with its kind; those of groups too."""
    for name, value in _fields(metadata).items():
        if not isinstance(value, yaml.SequenceNode):
            continue
        if name in _KEYS:
            yield from ((name, key) for key in value.value)
        elif name == "key_groups":
            for group in value.value:
                if isinstance(group, yaml.MappingNode):
                    yield from _keys(group)


def _metadata(node: yaml.Node) -> yaml.MappingNode | None:
    fields = _fields(node)
    metadata = fields.get(_NAME)
    if not isinstance(metadata, yaml.MappingNode) or not _fields(metadata).keys() & _METADATA:
        return None
    kind, group = _OPERATOR
    is_operators = _text(fields, "kind") == kind and _text(fields, "apiVersion").startswith(group)
    return None if is_operators else metadata


def _fields(node: yaml.Node) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _text(fields: dict[str, yaml.Node], name: str) -> str:
    node = fields.get(name)
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
