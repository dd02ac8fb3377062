"""A commit, as a person names it → the store as it was then."""

from __future__ import annotations

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.store import WorkingStore


async def tree_at(store: WorkingStore, revision: str) -> StoreTree:
    """Look at a store as a commit has it: an id, `HEAD~2`, whatever git understands.

    Raises `UsageError` for what names no commit, and `ConfigurationError` without a repository.
    """
    root = store.folder.root
    if store.clone is None:
        raise ConfigurationError(
            f"{root} has no git history", remedy=f"begin one: git -C {root} init"
        )
    remedy = "name one as git does: an id that flux-secret store history shows, or HEAD~2"
    if revision.startswith("-"):  # gopass counts `-1` from the oldest, its manual from the newest
        raise UsageError(f"{revision!a} does not name a commit", remedy=remedy)
    words = ("rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}")
    commit = await store.clone.git.ask(root, *words)
    if commit is None:
        raise UsageError(f"git knows no commit {revision!a} in {root}", remedy=remedy)
    return StoreTree(store.clone.at(commit), store.crypto.layout)
