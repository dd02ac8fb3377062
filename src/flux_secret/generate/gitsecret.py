"""A checkout with files that git-secret hides → the same with these files in it (ADR 0015).

What `git secret reveal -f` does, which Flux v1 ran in every clone (facts: flux-v1 §5):

1. `.gitsecret/paths/mapping.cfg` lists the files, `PATH:HASH` a line. Each lies in `PATH.secret`,
   an OpenPGP message.
2. All of them are decrypted, or the target fails: nothing is generated from half of them.
3. What is revealed takes the place of a file of that name, and lies where the checkout lies: in
   memory, until the target is delivered.
4. A path that leads out of the repository or into its `.git` is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

from flux_secret.errors import EmptyValueError, FluxSecretError, ManifestError, SourceError
from flux_secret.generate.inside import read_inside, shown
from flux_secret.generate.interface import Opener
from flux_secret.model.delivery import Remark
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import GitSecret

MAX_FILES: Final = 1_000  # that are hidden in one repository
MAX_FILE: Final = 16 * 1024 * 1024  # bytes of one of them, encrypted
MAX_LIST: Final = 1024 * 1024  # bytes of the list
MAX_REMARKED: Final = 10  # files that are not revealed; the others are counted
_LIST: Final = ("paths", "mapping.cfg")


@dataclass(frozen=True, slots=True)
class Revealed:
    """What was hidden, for masking what commands say."""

    values: tuple[Plaintext, ...] = ()
    size: int = 0
    """Bytes of them all."""


async def unhide(root: Path, names: GitSecret, opener: Opener) -> Revealed:
    """Put every hidden file into the checkout; raise when one cannot be had."""
    values, size = [], 0
    for file in _listed(root, names):
        encrypted = f"{file}{names.ending}"
        try:
            ciphertext = read_inside(root, root / encrypted, max_bytes=MAX_FILE)
            value = await opener.openpgp(ciphertext)
            if value.is_empty:
                raise EmptyValueError(
                    "it decrypts to nothing", remedy=f"hide it anew: git secret hide {quote(file)}"
                )
            size += opener.place(root, file, value)
        except FluxSecretError as failure:
            raise type(failure)(
                f"git-secret hides {file}, which cannot be revealed: {failure.what}",
                remedy=failure.remedy
                or "let somebody who can read it do: git secret tell ADDRESS-OF-THIS-AGENT, then "
                "git secret hide",
            ) from None
        values.append(value)
    return Revealed(tuple(values), size)


def remarks(root: Path, directory: Path) -> Iterator[Remark]:
    """Say which files below a target's directory stay hidden, as nobody asked to reveal them."""
    try:
        files = [
            file
            for file in _listed(root, GitSecret())
            if directory in (root / file).parents and not (root / file).exists()
        ]
    except FluxSecretError:  # nobody asked: the list is none of our business
        return
    for file in files[:MAX_REMARKED]:
        yield Remark(file, "git-secret hides it, and it is left out: --git-secret is not given")
    if (more := len(files) - MAX_REMARKED) > 0:
        yield Remark(f"{more} more files", "git-secret hides them, and they are left out")


def _listed(root: Path, names: GitSecret) -> list[str]:
    """Read the list; raise `SourceError` where there is none."""
    place = "/".join((names.folder, *_LIST))
    try:
        text = read_inside(root, root / place, max_bytes=MAX_LIST)
    except ManifestError as error:
        raise SourceError(
            f"git-secret hides nothing here: {error.what}",
            remedy="take --git-secret out, or hide files: git secret init, git secret add FILE",
        ) from None
    lines = (line.partition(":")[0].strip() for line in _decoded(text, place).splitlines())
    files = list(dict.fromkeys(line for line in lines if line))
    if len(files) > MAX_FILES:
        raise SourceError(
            f"{place} lists more than {MAX_FILES} files", remedy="keep them in the store instead"
        )
    for file in files:
        _check(file, place, names)
    return files


def _decoded(text: bytes, place: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise SourceError(
            f"{place} is not UTF-8", remedy="name files so that git-secret can list them"
        ) from None


def _check(file: str, place: str, names: GitSecret) -> None:
    parts = file.split("/")
    if file.startswith("/") or {"..", ".git"} & set(parts) or not file.isprintable():
        raise SourceError(
            f"{place} names {shown(Path(ascii(file[:200])))}, which may not be revealed",
            remedy="list files of the repository only: git secret add FILE",
        )
    if file.endswith(names.ending):
        raise SourceError(
            f"{place} names {file}, which is the encrypted form of a file",
            remedy=f"git secret remove {quote(file)}",
        )
