"""Keys that a store has, in every commit that changed them → the certificates of owners.

Recipients' keys lie where gopass exports them; `owners edit` puts those of other owners beside its
file.

A key that was revoked there once stays revoked, though a later commit brings its old copy back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flux_secret.access.interface import History
from flux_secret.access.openpgp import MAX_CERTIFICATE, Certificates
from flux_secret.errors import IntegrityError
from flux_secret.model.owners import FOLDER

OWN: Final = f"{FOLDER}/keys"
FOLDERS: Final = (".public-keys", ".gpg-keys", OWN)  # the second is gopass's older name
MAX_FILES: Final = 20_000  # of all commits


def certificates(history: History, head: str) -> Certificates:
    """Read what the commits up to `head` had; raise `IntegrityError` when that is too much."""
    return Certificates(_files(history, head))


def _files(history: History, head: str) -> Iterator[bytes]:
    folders: set[str] = set()
    files: set[str] = set()
    for step in history.steps(None, head):
        tree = history.tree(step.commit)
        for path in FOLDERS:
            folder = tree.entry(path)
            if folder is None or not folder.is_folder or folder.blob in folders:
                continue
            folders.add(folder.blob)
            for one in tree.children(path):
                if not one.is_file or one.blob in files:
                    continue
                if len(files) >= MAX_FILES:  # one that is passed over could be a revocation
                    raise IntegrityError(
                        f"the commits up to {head[:12]} have more than {MAX_FILES} files of keys",
                        remedy=f"find out who put them into {path}: git log --stat -- {path}",
                    )
                files.add(one.blob)
                if tree.size(one.blob) <= MAX_CERTIFICATE:
                    yield tree.read(one.blob)
