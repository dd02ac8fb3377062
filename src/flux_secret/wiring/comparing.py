"""A clone of a store + two revisions → what a change does to those who read; git, and no key."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flux_secret.access.diff import Comparison, Side, compare
from flux_secret.errors import ConfigurationError, FluxSecretError, UsageError
from flux_secret.model.access import StoreAccess
from flux_secret.model.owners import NOBODY
from flux_secret.outside.git.person import PersonGit
from flux_secret.outside.objects import Commit
from flux_secret.settings.person import PersonSettings
from flux_secret.store.ownersfile import owners_of
from flux_secret.store.readership import Readership, certificates

HEAD: Final = "HEAD"
_SHORT: Final = 12
_NOTHING: Final = Side(StoreAccess("", ()))


async def compared(
    revisions: str, store: str | None, settings: PersonSettings
) -> tuple[Comparison, str]:
    """Compare two commits; give a title for people, too.

    `A..B` compares them; `A...B` compares B with where it left A; `A` is `A..HEAD`. Without
    `store` the repository of the folder that one is in counts.
    """
    root = _root(store, settings)
    git = PersonGit(settings.git_env)
    objects = await _git_dir(git, root)
    first, second = await _ends(git, root, revisions)
    found = changed(objects, first, second)
    return found, f"{store or root.name} {first[:_SHORT]}..{second[:_SHORT]}"


def changed(repository: Path, first: str | None, second: str) -> Comparison:
    """Compare two commits, or one with nothing."""
    old, new = Commit(repository, first) if first else None, Commit(repository, second)
    before, after = certificates(old)[0] if old else (), certificates(new)[0]
    shared: dict[str, tuple[frozenset[str], int]] = {}
    return compare(
        _side(old, Readership(old, other=after, messages=shared)) if old else _NOTHING,
        _side(new, Readership(new, other=before, messages=shared)),
    )


def _side(commit: Commit, readership: Readership) -> Side:
    access = readership.access("")
    try:
        return Side(access, owners_of(commit))
    except FluxSecretError as error:
        return Side(access, NOBODY, (f"nobody answers for anything: {error.what}",))


def _root(store: str | None, settings: PersonSettings) -> Path:
    if store is None:
        return Path.cwd()
    if store not in settings.stores:
        known = ", ".join(sorted(name for name in settings.stores if name)) or "none is mounted"
        raise UsageError(
            f"there is no store {ascii(store)[1:-1]}",
            remedy=f"name one: {known}; or leave --store out inside a clone of it",
        )
    if not settings.stores[store].is_dir():
        raise ConfigurationError(
            f"the store {store} is to be in {settings.stores[store]}, which is not there",
            remedy=f"get it: flux-secret store clone URL {store}",
        )
    return settings.stores[store]


async def _git_dir(git: PersonGit, root: Path) -> Path:
    words = ("rev-parse", "--path-format=absolute", "--git-common-dir")
    found = await git.ask(root, *words)
    if found is None:
        raise UsageError(
            f"{root} is no clone of a store",
            remedy="change to the clone, or name a store that is mounted: --store NAME",
        )
    return Path(found)


async def _ends(git: PersonGit, root: Path, revisions: str) -> tuple[str, str]:
    left, dots, right = revisions.partition("...")
    if not dots:
        left, dots, right = revisions.partition("..")
    first, second = [await _commit(git, root, one or HEAD) for one in (left, right)]
    if dots == "...":
        base = await git.ask(root, "merge-base", first, second)
        if base is None:
            raise UsageError(
                f"{left or HEAD} and {right or HEAD} have no commit in common",
                remedy="in a shallow clone: git fetch --unshallow; or compare with two dots",
            )
        first = base.splitlines()[0]
    return first, second


async def _commit(git: PersonGit, root: Path, revision: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    found = await git.ask(root, *words)
    if found is None:
        raise UsageError(
            f"{ascii(revision)[1:-1]} is no commit of {root}",
            remedy="see which there are: git log --oneline --all; in a shallow clone, fetch it",
        )
    return found.splitlines()[-1]
