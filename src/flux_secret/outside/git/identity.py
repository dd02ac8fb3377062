"""A deploy key's file → its public half and fingerprints, as `fluxctl identity` shows them."""

from __future__ import annotations

from pathlib import Path

from flux_secret.outside.process import Completed, Limits, run

_SECONDS = 10.0


async def public_identity(key: Path, path: str) -> tuple[str, dict[str, str]]:
    """Give the public key, a line, and its hash by md5 and sha256; empty when it has none.

    A key under a passphrase has none to show: nobody is there to type it.
    """
    public = await _keygen(["-y", "-P", "", "-f", str(key)], path)
    if public.returncode != 0:
        return "", {}
    line = public.untrusted_stdout
    prints = {}
    for name in ("md5", "sha256"):
        shown = await _keygen(["-l", "-E", name, "-f", "-"], path, line)
        words = shown.untrusted_stdout.decode(errors="replace").split()
        if shown.returncode == 0 and len(words) > 1:
            prints[name] = words[1].partition(":")[2]
    return line.decode(errors="replace"), prints


async def _keygen(arguments: list[str], path: str, stdin: bytes = b"") -> Completed:
    return await run(
        ["ssh-keygen", *arguments],
        env={"PATH": path},
        cwd=Path("/"),
        stdin=stdin,
        limits=Limits(_SECONDS),
    )
