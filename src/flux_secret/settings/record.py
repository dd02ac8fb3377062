"""Flags, or a person's environment → where the record is kept, how it is signed and bounded."""

from __future__ import annotations

import os
import platform
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.quantity import parse_quantity
from flux_secret.outside.git.refs import ref_of
from flux_secret.settings.environment import ENVIRONMENT_PREFIX, whole_environment
from flux_secret.settings.flags import Flags
from flux_secret.settings.targets import seconds

DEFAULT_BRANCH: Final = "flux-secret/record"
LEAST_KEPT: Final = 4 * 1024 * 1024
"""Bytes below which a record cannot be bounded: some files have to be whole."""
_MOST_SEGMENT: Final = 64 * 1024 * 1024
_SEGMENTS: Final = 8  # files that a bounded record has at least


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """Where one agent, or one person's commands, keep their record."""

    folder: Path
    """A folder for each writer in it; several replicas may share it."""
    name: str
    """What people know the writer by; its chain is called after it."""
    signing_key: str | None = None
    """The key that signs, as gpg finds it; None: an imported key that can, or nobody."""
    keep_bytes: int = 0
    """Of all files of one writer; 0 keeps them all."""
    git_url: GitUrl | None = None
    """Where it is pushed to, too; None: nowhere."""
    git_branch: str = DEFAULT_BRANCH
    push_seconds: float = 60.0
    """How often it is pushed."""
    author: tuple[str, str] = ("flux-secret", "flux-secret@localhost")
    """Name and address in the commits that push it."""
    pseudonym_key: Path | None = None
    """The file of the key that entry names are hidden under; None: they are not."""

    @property
    def segment_bytes(self) -> int:
        """Of one file; a bounded record has at least eight."""
        return (
            min(_MOST_SEGMENT, self.keep_bytes // _SEGMENTS) if self.keep_bytes else _MOST_SEGMENT
        )

    @classmethod
    def load(cls, flags: Flags, cache: Path) -> RecordSettings | None:
        """Read an agent's flags; None for an agent that keeps no record. Raises `UsageError`."""
        url = record_url(flags.record_git_url) if flags.record_git_url else None
        if flags.record_dir is None and url is None:
            return None
        return cls(
            folder=flags.record_dir or cache / "record",
            name=flags.record_name,
            signing_key=flags.record_signing_key or flags.git_signing_key,
            keep_bytes=kept_bytes(flags.record_keep),
            git_url=url,
            git_branch=_branch(flags.record_git_branch),
            push_seconds=seconds("--record-git-interval", flags.record_git_interval),
            author=(flags.git_user, flags.git_email),
            pseudonym_key=flags.record_pseudonyms,
        )

    @classmethod
    def of_person(cls, environ: Mapping[str, str] | None = None) -> RecordSettings:
        """Give a person's own: in `$XDG_STATE_HOME/flux-secret/record`, as long as they like."""
        environ = whole_environment(environ)
        return cls(
            folder=record_folder(environ),
            name=f"{_who(environ)}@{platform.node().partition('.')[0] or 'localhost'}",
            signing_key=environ.get(f"{ENVIRONMENT_PREFIX}RECORD_SIGNING_KEY") or None,
        )


def _who(environ: Mapping[str, str]) -> str:
    """Give the person's login: as the shell names it, else as the machine knows it."""
    if named := environ.get("USER") or environ.get("LOGNAME"):
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container, where the number has no name
        return f"uid{os.getuid()}"


def record_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Give where a person's record is: `FLUX_SECRET_RECORD_DIR`, or XDG's state directory."""
    environ = whole_environment(environ)
    if named := environ.get(f"{ENVIRONMENT_PREFIX}RECORD_DIR"):
        return Path(named)
    base = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '/root'}/.local/state"
    return Path(base) / "flux-secret" / "record"


def record_url(text: str) -> GitUrl:
    """Read `--record-git-url`; raise `UsageError`."""
    try:
        return GitUrl.parse(text)
    except UsageError as failure:
        raise UsageError(f"--record-git-url: {failure.what}", remedy=failure.remedy) from None


def _branch(text: str) -> str:
    try:
        ref_of(text)
    except UsageError as failure:
        raise UsageError(
            f"--record-git-branch: {failure.what}", remedy=f"name one, as {DEFAULT_BRANCH}"
        ) from None
    return text


def kept_bytes(text: str) -> int:
    """Read `--record-keep`, 0 for all; raise `UsageError`."""
    try:
        size = parse_quantity(text)
    except UsageError as failure:
        raise UsageError(f"--record-keep: {failure.what}", remedy=failure.remedy) from None
    if 0 < size < LEAST_KEPT:
        raise UsageError(
            f"--record-keep {text} is too little to keep", remedy="write 4Mi or more; 0 keeps all"
        )
    return size
