"""Flags → how far deliveries are remembered, what must be signed, what an outage means."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, TypeVar

from flux_secret.errors import UsageError
from flux_secret.model.sync import Verification
from flux_secret.settings.flags import Flags

_FLUX_KEYS: Final = "--git-gpg-key-import"
E = TypeVar("E", bound=enum.Enum)


class SyncState(enum.Enum):
    """Where the sync marker is kept: Flux v1's `--sync-state`."""

    GIT = "git"
    SECRET = "secret"  # noqa: S105 -- the kind of object


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How one agent, or one command, follows its repositories."""

    state: SyncState = SyncState.GIT
    tag: str = "flux-sync"
    secret: str = "flux-git-deploy"  # noqa: S105 -- a name
    tagger_name: str = "Weave Flux"
    tagger_email: str = "support@weave.works"
    signing_key: str | None = None
    verification: Verification = Verification.NONE
    moves_marker: bool = False
    """Whether the marker is moved: by the agent, not by a person's one delivery."""
    goes_on: bool = False
    """Whether an outage of a git host is no failure: what was fetched last is delivered."""
    forced: bool = False
    """Whether `--git-readonly` has overruled `--sync-state=git`."""

    @classmethod
    def load(cls, flags: Flags) -> SyncSettings:
        """Read the flags; raise `UsageError`."""
        asked = _one_of(SyncState, "--sync-state", flags.sync_state)
        state = SyncState.SECRET if flags.git_readonly else asked
        verification = _verification(flags)
        unsigned = state is SyncState.GIT and not flags.git_signing_key
        if unsigned and flags.unattended and verification is not Verification.NONE:
            raise UsageError(
                "the sync tag would not be signed, so it could not be verified the next time",
                remedy=f"name a key of {_FLUX_KEYS}: --git-signing-key; or keep the marker in the "
                "cluster: --sync-state=secret",
            )
        return cls(
            state=state,
            tag=flags.git_label or flags.git_sync_tag,
            secret=flags.k8s_secret_name,
            tagger_name=flags.git_user,
            tagger_email=flags.git_email,
            signing_key=flags.git_signing_key,
            verification=verification,
            moves_marker=flags.unattended,
            goes_on=flags.unattended or flags.allow_stale,
            forced=state is not asked,
        )


def _verification(flags: Flags) -> Verification:
    mode = _one_of(Verification, "--git-verify-signatures-mode", flags.git_verify_signatures_mode)
    if flags.git_verify_signatures and mode is Verification.NONE:  # the older flag
        return Verification.ALL
    return mode


def _one_of(words: type[E], flag: str, text: str) -> E:
    try:
        return words(text)
    except ValueError:
        known = ", ".join(str(one.value) for one in words)
        raise UsageError(
            f"{flag} {text[:80]!a} is not known", remedy=f"write one of {known}"
        ) from None
