"""GitAccess → OpenSSH's command line: pinned hosts, no configuration file, no questions."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
import stat
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, KeyFileError
from flux_secret.outside.files import write_atomic
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.reading import read_bounded

_MAX_KEY_BYTES: Final = 64 * 1024
_MAX_FILE_BYTES: Final = 4 * 1024 * 1024  # of hosts, certificates or credentials
_ARMOR: Final = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.+?)-----END", re.DOTALL)
_MAGIC: Final = b"openssh-key-v1\0\0\0\0"  # then one byte: the length of the cipher's name


def ssh_command(access: GitAccess, program: str, home: Path) -> str:
    """Give the words for GIT_SSH_COMMAND; `home` is private and may get a copy of the key."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "VerifyHostKeyDNS": "no",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(max(1, int(access.timeout_seconds))),
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "PermitLocalCommand": "no",
        "ControlPath": "none",
        "RequestTTY": "no",
    }
    if access.known_hosts:
        readable(access.known_hosts, "--git-known-hosts")
        options |= {
            "UserKnownHostsFile": _path(access.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
        }
    if access.ssh_key:
        key = _usable_key(access.ssh_key, home, with_agent=access.ssh_auth_sock is not None)
        options |= {"IdentityFile": _path(key), "IdentitiesOnly": "yes"}
    words = [program, "-F", "/dev/null"]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return shlex.join(words)


def readable(file: Path, setting: str) -> bytes:
    """Give the bytes of a file that a setting names, or say which cannot be read."""
    try:
        return read_bounded(file, _MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"{setting} {file} cannot be read: {error.strerror}",
            remedy="check that the file is there, is one, and that this user may read it",
        ) from None


def _usable_key(file: Path, home: Path, *, with_agent: bool) -> Path:
    """Give the key's file, or a private copy in memory where ssh would refuse the file itself.

    It refuses keys that others may read, as those of a mounted Secret often are, and keys whose
    last line is cut off or that came through a Windows editor.
    """
    try:
        mode = file.stat().st_mode
        key = read_bounded(file, _MAX_KEY_BYTES)
    except OSError as error:
        raise KeyFileError(
            f"the ssh key {file} cannot be read: {error.strerror}",
            remedy="check that --git-ssh-key is there and that this user may read it",
        ) from None
    check_private_key(key, str(file), with_agent=with_agent)
    mended = mended_key(key)
    if mended == key and not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return file
    copy = home / "identity"
    write_atomic(copy, mended)
    return copy


def check_private_key(key: bytes, name: str, *, with_agent: bool = False) -> None:
    """Refuse what ssh cannot use alone; an agent may hold a key whose file has a passphrase."""
    if b"PRIVATE KEY-----" not in key or b"PGP PRIVATE KEY" in key:
        raise KeyFileError(
            f"{name} is not an ssh private key", remedy="name the private half: --git-ssh-key FILE"
        )
    if _has_passphrase(key) and not with_agent:
        raise KeyFileError(
            f"the ssh key {name} has a passphrase, which nobody can type here",
            remedy="use a deploy key without one: ssh-keygen -t ed25519 -N '' -f FILE",
        )


def mended_key(key: bytes) -> bytes:
    """Give the key with the line ends, and the last one, that ssh wants."""
    return key.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"


def _has_passphrase(key: bytes) -> bool:
    if b"ENCRYPTED" in key:  # PEM's Proc-Type, and PKCS#8's BEGIN ENCRYPTED PRIVATE KEY
        return True
    armor = _ARMOR.search(key)
    if armor is None:
        return False
    try:
        data = base64.b64decode(b"".join(armor[1].split()))
    except (binascii.Error, ValueError):
        return False  # ssh will say what is wrong with it
    cipher = data[len(_MAGIC) + 1 : len(_MAGIC) + 1 + data[len(_MAGIC)]] if data[19:] else b"none"
    return data.startswith(_MAGIC) and cipher != b"none"


def _path(file: Path) -> str:
    """Quote for ssh, which splits at blanks and expands `%`."""
    text = str(file.resolve())
    if '"' in text:
        raise ConfigurationError(f"{text!r} has a quote in it, which ssh cannot take")
    return '"' + text.replace("%", "%%") + '"'
