"""A clone's history → what happened to one file, followed across its renames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flux_secret.outside.git.clone import Clone

MAX_CHANGES: Final = 10_000  # of one file
_FORMAT: Final = "%x00%H%x1f%an <%ae>%x1f%aI%x1f%s"


@dataclass(frozen=True, slots=True)
class Change:
    """One commit that changed a file."""

    commit: str
    author: str
    when: str
    """RFC 3339, in the author's own time zone."""
    subject: str
    path: str
    """What the file was called then."""

    def facts(self) -> dict[str, str]:
        """Give it for JSON."""
        return {
            "commit": self.commit, "author": self.author, "date": self.when,
            "subject": self.subject, "path": self.path,
        }  # fmt: skip


async def changes_of(clone: Clone, path: str) -> list[Change]:
    """Give the commits that changed a file, the newest first; none for a file git never had.

    Renames are followed as git follows them: by content, so an entry that was re-encrypted while it
    moved begins anew.
    """
    words = (
        "--follow",
        "--no-color",
        "--no-show-signature",
        "--name-only",
        "--encoding=UTF-8",
        "-z",
    )
    limits = (f"--max-count={MAX_CHANGES}", f"--format={_FORMAT}")
    done = await clone.git.run(clone.folder.root, "log", *words, *limits, "--", path)
    if done.returncode != 0:  # no commit yet
        return []
    text = done.untrusted_stdout.decode(errors="replace")
    changes = []
    for record in text.split("\0\0"):
        head, _, name = record.lstrip("\0").partition("\0")
        fields = head.split("\x1f")
        if len(fields) == 4:  # noqa: PLR2004 -- as _FORMAT has it
            commit, author, when, subject = fields
            changes.append(Change(commit, author, when, subject, name.strip("\0\n") or path))
    return changes
