"""How remote repositories are reached, and within which limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from flux_secret.model.giturl import GitUrl
from flux_secret.model.repository import repository_name
from flux_secret.outside.process import MIB


@dataclass(frozen=True, slots=True)
class GitAccess:
    """Keys and trust for git; files are read at every use, so they may rotate."""

    ssh_key: Path | None = None
    """None: the keys that ssh itself finds, and those of a person's ssh-agent."""
    ssh_keys: Mapping[str, Path] = field(default_factory=dict)
    """Of single repositories, by `key_name`: where there is one, no other is shown."""
    known_hosts: Path | None = None
    """Then no other file counts. None: the files that ssh itself reads."""
    credentials_file: Path | None = None
    """For https, in the format of `git credential-store`."""
    ca_file: Path | None = None
    ssh_auth_sock: str | None = None
    """A person's ssh-agent, for the command line; the agent in the cluster has none."""
    timeout_seconds: float = 20.0
    """Limit of each git operation: Flux v1's `--git-timeout`."""
    first_fetch_seconds: float = 300.0
    """Limit of a mirror's first fetch; under Flux v1's 20 s a large one never became ready."""
    max_fetch_bytes: int = 1024 * MIB
    """How large one fetch may be, compressed."""
    path: str = os.defpath
    proxies: Mapping[str, str] = field(default_factory=dict)

    def of(self, url: GitUrl) -> GitAccess:
        """Give the access to one repository."""
        key = self.ssh_keys.get(key_name(url)) if url.scheme == "ssh" else None
        return self if key is None else replace(self, ssh_key=key)


def key_name(url: GitUrl) -> str:
    """Give what the ways to write an address have in common: host, and path without `.git`."""
    return f"{url.host.casefold()}/{repository_name(url.address)}"
