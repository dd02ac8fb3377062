"""A file of the repository → its bytes, if it is one, lies inside, and is not too large."""

from __future__ import annotations

from pathlib import Path

from flux_secret.errors import ManifestError


def read_inside(root: Path, file: Path, *, max_bytes: int) -> bytes:
    """Read a file, links followed as long as they stay in the repository; raise `ManifestError`.

    The checkout lays no links out that lead elsewhere; a script may have made one since.
    """
    source = shown(file.relative_to(root))
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        raise ManifestError(
            f"{source} is a link to nothing", remedy="remove it, or let it lead to a file"
        ) from None
    if root not in real.parents:
        raise ManifestError(
            f"{source} is a link out of the repository", remedy="put the file into the repository"
        )
    if not real.is_file():
        raise ManifestError(f"{source} is not a file", remedy="make it one, or remove it")
    try:
        with real.open("rb") as opened:
            text = opened.read(max_bytes + 1)
    except OSError as error:
        raise ManifestError(
            f"{source} cannot be read: {error.strerror}", remedy="mend its permissions"
        ) from None
    if len(text) > max_bytes:
        raise ManifestError(
            f"{source} is larger than {max_bytes} bytes", remedy="split it into several files"
        )
    return text


def shown(path: Path) -> str:
    """Give a path's text, also when its bytes are no text."""
    return str(path).encode(errors="backslashreplace").decode()
