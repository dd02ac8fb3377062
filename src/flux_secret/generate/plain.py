"""A tree of YAML files → Manifests, where there is no `.flux.yaml` (facts: flux-v1 §1.9).

As Flux v1 walks it: lexical order, hidden folders too, links to files followed, links to folders
not, charts left out. Unlike Flux v1, a document without `kind` is an error, unless the file is
known to hold none: a typing mistake there would remove the object.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from flux_secret.errors import ManifestError
from flux_secret.generate.inside import read_inside, shown
from flux_secret.generate.manifests import parse
from flux_secret.model.manifest import Manifest

MAX_FILE: Final = 16 * 1024 * 1024  # bytes
MAX_TREE: Final = 64 * 1024 * 1024  # bytes
_ENDINGS: Final = frozenset({".yaml", ".yml"})
_NOT_MANIFESTS: Final = frozenset({".flux.yaml", "kustomization.yaml", "kustomization.yml"})


OpenFile = Callable[[bytes, str], Awaitable[bytes]]
"""(what a file holds, its name) → the same in the clear."""


async def load(root: Path, target: Path, opened: OpenFile | None = None) -> list[Manifest]:
    """Read a file, or every YAML file below a folder; raise `ManifestError`.

    `opened` is asked about each, where what is encrypted may be decrypted.
    """
    manifests: list[Manifest] = []
    for name, text in _read(root, target):
        clear = text if opened is None else await opened(text, name)
        manifests += parse(clear, name)
    return manifests


def _read(root: Path, target: Path) -> Iterator[tuple[str, bytes]]:
    left = MAX_TREE
    for file in [target] if target.is_file() else _tree(root, target):
        text = read_inside(root, file, max_bytes=MAX_FILE)
        left -= len(text)
        if left < 0:
            raise ManifestError(
                f"the files of {shown(target.relative_to(root))} hold more than {MAX_TREE} bytes",
                remedy="make several targets of it",
            )
        yield shown(file.relative_to(root)), text


def _tree(root: Path, target: Path) -> Iterator[Path]:
    """Walk a target, unless it lies in a chart itself."""
    above = [folder for folder in target.parents if folder == root or root in folder.parents]
    return iter(()) if any(map(_is_chart, above)) else _files(target)


def _files(folder: Path) -> Iterator[Path]:
    if _is_chart(folder):
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.is_symlink() and path.name != ".git":
                yield from _files(path)
        elif path.suffix in _ENDINGS and path.name not in _NOT_MANIFESTS:
            yield path


def _is_chart(folder: Path) -> bool:
    """Whether a folder holds templates for Helm rather than manifests."""
    return (folder / "Chart.yaml").exists() and (folder / "values.yaml").exists()
