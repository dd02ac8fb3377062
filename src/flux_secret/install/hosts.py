"""known_hosts + addresses → the ssh hosts that the agent would refuse (sshd(8), known_hosts)."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable

from flux_secret.model.giturl import GitUrl

_SSH_PORT = 22


def unknown_hosts(known_hosts: str, urls: Iterable[GitUrl]) -> list[str]:
    """Give the names, as known_hosts writes them, that no line has."""
    lines = [line.split() for line in known_hosts.splitlines()]
    fields = [words[0] for words in lines if len(words) > 2 and words[0][0] not in "#@"]  # noqa: PLR2004 -- hosts, kind, key
    # a line of an authority stands for hosts whose certificate it has signed
    fields += [words[1] for words in lines if len(words) > 3 and words[0] == "@cert-authority"]  # noqa: PLR2004 -- the same and the marker
    names = dict.fromkeys(_name(url) for url in urls if url.scheme == "ssh")
    return [name for name in names if not any(_has(field, name) for field in fields)]


def _name(url: GitUrl) -> str:
    host = url.host.strip("[]").lower()
    return host if url.port in {None, _SSH_PORT} else f"[{host}]:{url.port}"


def _has(field: str, name: str) -> bool:
    if field.startswith("|1|"):
        return _is_hash_of(field, name)
    found = False
    for pattern in field.lower().split(","):
        refused = pattern.startswith("!")
        # [host]:port has brackets that are no set of characters
        escaped = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatch.fnmatchcase(name, escaped):
            if refused:
                return False
            found = True
    return found


def _is_hash_of(field: str, name: str) -> bool:
    """Compare with a hashed name: `|1|SALT|HMAC-SHA1`, as HashKnownHosts writes it."""
    _, _, salt, digest = (*field.split("|"), "", "", "")[:4]
    try:
        key, wanted = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except binascii.Error:
        return False
    return hmac.compare_digest(hmac.new(key, name.encode(), hashlib.sha1).digest(), wanted)
