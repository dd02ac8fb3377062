"""Names from and to → which entry goes where, as `gopass mv` and `cp` decide it; pure.

A folder goes with all that lies in it. What ends in a slash, or is a folder already, is gone into;
else the last part of the name changes (facts: gopass §4.5).
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping

from flux_secret.errors import EntryNotFoundError, UsageError


def destinations(
    source: str, there: Collection[str], target: str, taken: Collection[str]
) -> Mapping[str, str]:
    """Give old name → new name for every entry that moves; never empty.

    `there` are the names of the source's store, `taken` those of the target's. Raises `UsageError`
    where two entries would become one.
    """
    into = target.endswith("/") or not target
    target = target.strip("/")
    source = source.rstrip("/")
    if source in there:
        is_folder = any(name.startswith(f"{target}/") for name in taken) and target not in taken
        goes_in = into or is_folder
        return {source: posixpath.join(target, posixpath.basename(source)) if goes_in else target}
    inside = [name for name in there if name.startswith(f"{source}/")]
    if not inside:
        raise EntryNotFoundError(
            f"there is no entry and no folder {source}",
            remedy=f"look what there is: flux-secret store ls {posixpath.dirname(source)}",
        )
    exists = any(name.startswith(f"{target}/") for name in taken)
    base = posixpath.dirname(source) if (into or exists) else source
    moves = {name: posixpath.join(target, posixpath.relpath(name, base or ".")) for name in inside}
    if any(new.startswith(f"{source}/") for new in moves.values()):
        raise UsageError(f"{source} cannot go into itself", remedy="name another folder")
    return moves


def refuse_taken(moves: Mapping[str, str], taken: Collection[str], *, force: bool) -> None:
    """Raise `UsageError` when an entry would be overwritten that nobody said so of."""
    lost = sorted(set(moves.values()) & set(taken) - set(moves))
    if lost and not force:
        raise UsageError(
            f"{', '.join(lost[:5])} {'is' if len(lost) == 1 else 'are'} there already",
            remedy="overwrite: --force",
        )
