"""A tree of YAML files → Manifests, where there is no `.flux.yaml` (facts: flux-v1 §1.9)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flux_secret.errors import ManifestError
from flux_secret.generate.manifests import parse
from flux_secret.model.manifest import Manifest

MAX_FILE: Final = 16 * 1024 * 1024  # bytes
_ENDINGS: Final = frozenset({".yaml", ".yml"})
_NOT_MANIFESTS: Final = frozenset({".flux.yaml", "kustomization.yaml", "kustomization.yml"})


def load(root: Path, target: Path) -> Iterator[Manifest]:
    """Read a file, or every YAML file below a folder in lexical order.

    Chart folders are left out, links to folders are not followed, links to files are (inside the
    repository, which the checkout has made sure of).
    """
    files = [target] if target.is_file() else list(_files(target))
    for file in files:
        source = str(file.relative_to(root))
        if file.stat().st_size > MAX_FILE:
            raise ManifestError(
                f"{source} is larger than {MAX_FILE} bytes", remedy="split it into several files"
            )
        yield from parse(file.read_bytes(), source)


def _files(folder: Path) -> Iterator[Path]:
    if (folder / "Chart.yaml").exists() and (folder / "values.yaml").exists():
        return  # a Helm chart: templates, not manifests
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.is_symlink() and path.name != ".git":
                yield from _files(path)
        elif path.suffix in _ENDINGS and path.name not in _NOT_MANIFESTS and path.is_file():
            yield path
