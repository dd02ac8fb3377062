"""What a check found → mended, where that loses nothing: one commit, and the rights of files.

Entries are encrypted anew where everybody can be encrypted to, and they can be decrypted. Line
ends become those that pass reads, keys are exported. What needs a person's decision is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import DecryptError
from flux_secret.outside.git.progress import Progress
from flux_secret.store.interface import Form
from flux_secret.store.working.facts import EntryFact, Facts
from flux_secret.store.working.past import Past
from flux_secret.store.working.reencrypt import Look, Watch, reencrypt
from flux_secret.store.working.store import Draft

_LISTED: Final = 100  # names in a commit message


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done, in words, and what could not be decrypted."""

    done: tuple[str, ...]
    failed: tuple[DecryptError, ...] = ()


async def repair(draft: Draft, facts: Facts, watch: Watch | None = None) -> Repaired:
    """Mend, and commit it."""
    files = dict(_files(facts))
    for path, data in files.items():
        draft.put_file(path, data)
    done = await reencrypt(draft, list(_due(facts)), keep_going=True, watch=watch)
    lines = [*(f"{path}: brought up to date" for path in sorted(files)),
             *(f"{name}: encrypted anew" for name in done.done)]  # fmt: skip
    if lines:
        await draft.commit(f"Repair the store\n\n{_listed(lines)}")
    if draft.store.clone is not None:
        Progress(draft.store.clone.git_dir).clear()
    for path in facts.open_files:
        draft.store.folder.protect(path)
    if facts.open_files:
        lines.append(f"{len(facts.open_files)} files and folders are the owner's alone")
    return Repaired(tuple(lines), done.failed)


def _files(facts: Facts) -> Iterator[tuple[str, bytes]]:
    for one in facts.recipients:
        if b"\r" in one.text and not one.problem:
            yield one.file, one.text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for key in facts.exports:
        if key.update is not None:
            yield key.path, key.update


def _due(facts: Facts) -> Iterator[Look]:
    """Give what is not for exactly whom it should be, where all of them can be encrypted to."""
    usable = {
        one.file: one.ids
        for one in facts.recipients
        if one.ids and not one.problem and not any(reader.problem for reader in one.readers)
    }
    for one in facts.entries:
        is_own = not one.problem and one.target == one.file and one.form is not Form.OTHER
        if is_own and one.recipients in usable and _is_wrong(one):
            ids = usable[one.recipients]
            yield Look(one.target, one.name, ids, one.recipients, one.verdict)


def _is_wrong(one: EntryFact) -> bool:
    return (
        not one.verdict.is_right
        or one.form is not Form.MESSAGE
        or (not one.verdict.is_certain and one.past is Past.OTHERS)
    )


def _listed(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "".join(f"- {line}\n" for line in [*lines[:_LISTED], *more])
