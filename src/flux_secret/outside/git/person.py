"""A person's own git, with their settings, keys and helpers, in a repository of theirs.

Unlike `command.Git` it runs on a clone that a person made and uses: their identity, signing,
credential helpers and ssh settings count. Nothing is asked for on a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UnreachableError
from flux_secret.outside.git.failure import kind_of
from flux_secret.outside.process import Completed, Limits, ProcessTimeoutError, run

# git has no limit of its own for a fetch; the unit of `ulimit -f` is 512 bytes in POSIX, and when
# the signal is ignored git says "File too large" and ends as it should
LIMITED: Final = ("/bin/sh", "-c", 'trap \'\' XFSZ && ulimit -f "$0" && exec "$@"')
BLOCK: Final = 512
_LOGIN: Final = re.compile(r"(?<=://)[^/@\s]+@")
_MAX_SHOWN: Final = 2000  # characters of git's own words


@dataclass(frozen=True, slots=True)
class PersonGit:
    """The git of PATH and the environment that it needs."""

    env: Mapping[str, str]
    timeout_seconds: float = 60.0

    async def run(
        self,
        root: Path,
        *words: str,
        stdin: bytes = b"",
        seconds: float = 0,
        max_file_bytes: int | None = None,
    ) -> Completed:
        """Run git in a folder; whatever its exit status.

        `max_file_bytes`: how large a file it may write, as the pack of a fetch.
        """
        limited = [] if max_file_bytes is None else [*LIMITED, str(max_file_bytes // BLOCK)]
        env = {**self.env, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        limit = seconds or self.timeout_seconds
        limits = Limits(timeout_seconds=limit, keep_stderr_tail=True)
        try:
            return await run(
                [*limited, "git", *words], env=env, cwd=root, stdin=stdin, limits=limits
            )
        except ProcessTimeoutError:
            raise UnreachableError(
                f"git {words[0]} did not end within {limit:g} s in {root}",
                remedy="run it by hand there; it may wait for a passphrase: use ssh-agent",
            ) from None

    async def ask(self, root: Path, *words: str) -> str | None:
        """Give what git prints, without the last line break; None when it says no."""
        done = await self.run(root, *words)
        return (
            done.untrusted_stdout.decode(errors="replace").rstrip("\n")
            if (done.returncode == 0)
            else None
        )

    async def do(self, root: Path, *words: str, stdin: bytes = b"") -> str:
        """Run git; raise an error of ours with git's own words when it fails."""
        done = await self.run(root, *words, stdin=stdin)
        if done.returncode != 0:
            said = git_words(done)
            kind = kind_of(said) or ConfigurationError
            raise kind(
                f"git {words[0]} failed in {root}: {said}",
                remedy=f"run it by hand: git -C {root} {words[0]} …",
            )
        return done.untrusted_stdout.decode(errors="replace").rstrip("\n")


def git_words(done: Completed) -> str:
    """Give git's own words, logins in addresses masked."""
    text = done.untrusted_stderr.decode(errors="replace").strip()
    return _LOGIN.sub("***@", text)[-_MAX_SHOWN:] or f"exit status {done.returncode}"
