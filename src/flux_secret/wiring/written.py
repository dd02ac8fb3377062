"""A folder of an application repository → references to entries as they are written there.

Where no agent says what was really read, this is what can be known: `ref+gopass://…` in manifests,
and what scripts ask of gopass, as far as it stands there in full.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from flux_secret.errors import FluxSecretError
from flux_secret.generate.manifests import parse
from flux_secret.model.access import Use
from flux_secret.model.reference import SCHEME, SecretRef

MAX_FILES: Final = 100_000
MAX_FILE: Final = 16 * 1024 * 1024  # bytes
SOMEWHERE: Final = "?"
"""The namespace of a Secret whose manifest names none."""
_REFERENCE: Final = re.compile(rf"{re.escape(SCHEME)}[^\s\"'\\]+")
_GOPASS: Final = re.compile(
    r"\bgopass\s+(?:(?:show|cat)\s+)?(?:-{1,2}[a-z]+\s+)*[\"']?([^\s\"'|;)`&<>-][^\s\"'|;)`&<>]*)"
)
_OTHER: Final = frozenset({"sync", "ls", "list", "version", "find", "grep", "show", "cat", "git"})


def written(folder: Path, stores: Collection[str], findings: list[str]) -> Iterator[Use]:
    """Give what is asked for; what cannot be read, or cannot be known, is a finding."""
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if number >= MAX_FILES:
            findings.append(f"{folder}: more than {MAX_FILES} files, the rest was not looked at")
            return
        name = str(path.relative_to(folder))
        if ".git" in path.parts or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size > MAX_FILE:
            findings.append(f"{name}: more than {MAX_FILE} bytes, not looked at")
            continue
        text = path.read_bytes()
        app = _app(path, folder)
        if SCHEME.encode() in text and path.suffix in {".yaml", ".yml", ".json"}:
            yield from _references(text, name, app, findings)
        if b"gopass" in text:
            yield from _scripts(text, name, app, stores, findings)


def _app(path: Path, folder: Path) -> str:
    """Name what is delivered: the nearest folder with a `.flux.yaml`, else the file's own."""
    for parent in path.parents:
        if (parent / ".flux.yaml").is_file():
            return str(parent.relative_to(folder)) if parent.is_relative_to(folder) else str(parent)
        if parent == folder:
            break
    return str(path.parent.relative_to(folder))


def _references(text: bytes, name: str, app: str, findings: list[str]) -> Iterator[Use]:
    try:
        starts = [
            (one.origin.line or 1, f"{one.key.namespace or SOMEWHERE}/{one.key.name}")
            for one in parse(text, name)
            if one.key.kind in {"Secret", "StoreSecret"}
        ]
    except FluxSecretError as error:
        findings.append(f"{name} is no manifest: {error.what}")
        return
    for line, words in enumerate(text.decode(errors="replace").splitlines(), 1):
        for match in _REFERENCE.finditer(words):
            secret = next((one for start, one in reversed(starts) if start <= line), "")
            try:
                entry = str(SecretRef.parse(match.group().rstrip(",}]")).lookup.path)
            except FluxSecretError as error:
                findings.append(f"{name}, line {line}: {error.what}")
                continue
            yield Use(app, entry, (secret,) if secret else (), f"written in {name}, line {line}")


def _scripts(
    text: bytes, name: str, app: str, stores: Collection[str], findings: list[str]
) -> Iterator[Use]:
    for line, words in enumerate(text.decode(errors="replace").splitlines(), 1):
        for match in _GOPASS.finditer(words):
            asked = match.group(1).strip("/")
            if "$" in asked:
                findings.append(
                    f"{name}, line {line} asks for {asked}: what that is, only a delivery knows"
                )
            elif asked not in _OTHER and any(asked.startswith(f"{one}/") for one in stores):
                how = f"asked for by {name}, line {line}"
                yield Use(app, asked, (), how, certain=False)
