"""Which files of the machine a generator may read: programs, libraries and public data.

A list of what is allowed, since keys may lie anywhere: `/etc/fluxd/ssh`, `/root/gpg-import`,
`/var/run/secrets`. A folder on PATH is readable, and what its links lead to.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
PUBLIC: Final = tuple(
    f"/etc/{name}"
    for name in (
        "alternatives", "ca-certificates", "group", "host.conf", "hosts", "ld.so.cache",
        "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release",
        "passwd", "pki/tls/certs", "pki/ca-trust/extracted", "protocols", "resolv.conf", "services",
        "ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem", "terminfo", "timezone",
    )
)  # fmt: skip
"""Of /etc; `ssl/private` is not among them."""
DEVICES: Final = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom"))


_REMEMBERED_SECONDS: Final = 60.0


class Tools:
    """Remembers for a minute what `tools` said: it takes 7 ms, and every target asks."""

    def __init__(self, known: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """Begin with what somebody has just looked up."""
        now = time.monotonic()
        self._known = {path: (now, found) for path, found in (known or {}).items()}

    def of(self, path: str) -> tuple[str, ...]:
        """Give what `tools` gives."""
        now = time.monotonic()
        asked, found = self._known.get(path, (now, ()))
        if not found or now - asked > _REMEMBERED_SECONDS:
            found = tools(path)
            self._known[path] = now, found
        return found


def tools(path: str) -> tuple[str, ...]:
    """Give the folders of PATH, and of the programs that their links lead to, outside `SYSTEM`.

    With them goes the Python that we run in: tools installed beside us need it.
    """
    wanted = dict.fromkeys(_folders(path))
    for prefix in (sys.prefix, sys.base_prefix):
        wanted[prefix] = None
    folders = [folder for folder in wanted if not _is_system(folder)]
    # each costs a mount: what lies in another one is there with it
    return tuple(one for one in folders if not any(one.startswith(f"{it}/") for it in folders))


def _folders(path: str) -> Iterator[str]:
    for name in path.split(os.pathsep):
        folder = Path(name)
        if not folder.is_absolute() or folder == Path("/") or not folder.is_dir():
            continue
        yield name
        if _is_system(str(folder.resolve())):
            continue
        with os.scandir(folder) as entries:  # tells links without asking for each
            links = [Path(entry.path) for entry in entries if entry.is_symlink()]
        yield from (str(link.resolve().parent) for link in links if link.is_file())


def _is_system(folder: str) -> bool:
    return any(folder == known or folder.startswith(f"{known}/") for known in SYSTEM)
