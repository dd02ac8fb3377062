"""How remote repositories are reached, and within which limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.outside.process import MIB


@dataclass(frozen=True, slots=True)
class GitAccess:
    """Keys and trust for git; files are read at every use, so they may rotate."""

    ssh_key: Path | None = None
    """None: the keys that ssh itself finds, and those of a person's ssh-agent."""
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
