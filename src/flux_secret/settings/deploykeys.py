"""Flags → the deploy key of each repository that has one of its own.

Hosts such as GitHub take a deploy key for one repository only, so an agent that follows several
needs several. Who may use which says the administrator, by address: an App could name a key that
opens somebody else's repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flux_secret.errors import UsageError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import key_name
from flux_secret.settings.address import expanded


def keys_of(texts: Sequence[str], environ: Mapping[str, str]) -> Mapping[str, Path]:
    """Read `--git-ssh-key-for REPOSITORY=FILE`, each repository once; raise `UsageError`."""
    found: dict[str, Path] = {}
    for text in texts:
        address, _, file = text.rpartition("=")
        if not address or not file:
            raise UsageError(
                f"--git-ssh-key-for {text[:120]!a} names no repository and its key",
                remedy="write REPOSITORY=FILE, as in git@host:org/repo=/etc/keys/repo",
            )
        url = GitUrl.parse(expanded(address, environ))
        if url.scheme != "ssh":
            raise UsageError(
                f"--git-ssh-key-for {url} is no address of ssh, which alone takes such a key",
                remedy="name a password for https in --git-credentials-file",
            )
        if key_name(url) in found:
            raise UsageError(
                f"--git-ssh-key-for {url} is given twice", remedy="name each repository once"
            )
        found[key_name(url)] = Path(file)
    return found
