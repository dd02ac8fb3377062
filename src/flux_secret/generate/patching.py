"""Manifests + the patches of a `patchFile` → manifests: what `patchUpdated` means.

kustomize does the merging: strategic merge for built-in kinds, JSON merge for others (facts:
flux-v1 §1.8). It gets only the objects that are patched, and no value of a Secret: each is a
placeholder there, and takes its place again afterwards (docs/adr/0008).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from flux_secret.errors import GenerateError, ManifestError
from flux_secret.generate.inside import read_inside, shown
from flux_secret.generate.interface import Workshop
from flux_secret.generate.manifests import parse
from flux_secret.model.flux_v1 import resource_id
from flux_secret.model.manifest import Manifest, Value
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext

MAX_PATCH: Final = 16 * 1024 * 1024  # bytes
_SHOWN: Final = 2000  # characters of what kustomize complains of


def read_patches(root: Path, directory: Path, name: str) -> Sequence[Manifest]:
    """Read a target's patch file; it may be missing as long as its folder is there.

    Raises `ManifestError`, also for a file outside the repository.
    """
    file = directory / name
    if not file.parent.is_dir():
        raise ManifestError(  # Flux v1's own words
            f'base directory ("{Path(name).parent}") of patchFile ("{name}") does not exist',
            remedy="mend patchFile: it is relative to the target's directory",
        )
    if not file.is_symlink() and not file.exists():
        return ()
    real = file.parent.resolve() / file.name
    if root not in real.parents:
        raise ManifestError(
            f"patchFile {name!r} leads out of the repository",
            remedy="put it beside the target",
        )
    return tuple(parse(read_inside(root, real, max_bytes=MAX_PATCH), shown(real.relative_to(root))))


async def patched(
    manifests: Sequence[Manifest],
    patches: Iterable[Manifest],
    workshop: Workshop,
    timeout_seconds: float,
) -> list[Manifest]:
    """Merge; the result is sorted by Flux v1's ids, as there.

    Raises `ManifestError` for a patch without an object, `GenerateError` when they do not merge.
    """
    objects = {manifest.key: manifest for manifest in manifests}
    about: dict[ObjectKey, list[Manifest]] = {}
    for patch in patches:
        if patch.key not in objects:
            raise ManifestError(
                f"{patch.origin}: patch refers to missing resource ({resource_id(patch.key)})",
                remedy="take the patch out, or bring back what it patches",
            )
        about.setdefault(patch.key, []).append(patch)
    if about:
        merging = _Merging(objects, about)
        outcome = await workshop.kustomize(merging.files(), timeout_seconds=timeout_seconds)
        if outcome.returncode != 0:
            said = outcome.untrusted_stderr.decode(errors="replace").strip()[:_SHOWN]
            raise GenerateError(
                f"the patches cannot be merged: {said}", remedy="mend them in the patchFile"
            )
        merged = merging.merged(parse(outcome.untrusted_stdout.reveal(), "the merged patches"))
        objects = {key: one for key, one in objects.items() if key not in about} | merged
    return sorted(objects.values(), key=lambda one: (resource_id(one.key), one.key))


@dataclass(slots=True)
class _Merging:
    """One run of kustomize: what it is given, and what its answer means."""

    objects: Mapping[ObjectKey, Manifest]
    patches: Mapping[ObjectKey, Sequence[Manifest]]
    _hidden: dict[str, Plaintext] = field(default_factory=dict)
    _mark: str = field(default_factory=lambda: f"flux-secret-{secrets.token_hex(16)}")

    def files(self) -> dict[str, bytes]:
        """Give a kustomization, its resources and its patches, all in JSON."""
        files: dict[str, bytes] = {}
        resources, patches = [], []
        for number, (key, own) in enumerate(self.patches.items()):
            resources.append(f"object-{number}.json")
            files[resources[-1]] = self._json(self.objects[key])
            for place, patch in enumerate(own):
                patches.append(f"patch-{number}-{place}.json")
                # merged by name: the API version of what is patched counts
                same = replace(
                    patch, body={**patch.body, "apiVersion": self.objects[key].api_version}
                )
                files[patches[-1]] = self._json(same)
        kustomization = {"resources": resources, "patches": [{"path": path} for path in patches]}
        return files | {"kustomization.yaml": json.dumps(kustomization).encode()}

    def merged(self, answer: Iterable[Manifest]) -> dict[ObjectKey, Manifest]:
        """Give the objects with their values; one that a patch deletes is not among them."""
        found = {}
        for manifest in answer:
            before = self.objects[manifest.key]
            body = {name: self._shown(value) for name, value in manifest.body.items()}
            found[manifest.key] = replace(before, body=body, api_version=manifest.api_version)
        return found

    def _json(self, manifest: Manifest) -> bytes:
        return json.dumps(self._hide(manifest.body)).encode()

    def _hide(self, value: Value) -> object:
        if isinstance(value, Plaintext):
            name = f"{self._mark}-{len(self._hidden)}"
            self._hidden[name] = value
            return name
        if isinstance(value, Mapping):
            return {key: self._hide(item) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._hide(item) for item in value]
        return value

    def _shown(self, value: Value) -> Value:
        if isinstance(value, Plaintext):  # what the parser wraps in a Secret is a placeholder
            return self._hidden[value.reveal().decode()]
        if isinstance(value, Mapping):
            return {key: self._shown(item) for key, item in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self._shown(item) for item in value]
        return value
