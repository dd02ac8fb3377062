"""What people see of an App: whether it is delivered, since when, why not, and what comes next.

Words and reasons are those that users of Flux and of kstatus know (facts: peers §6.1).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flux_secret.errors import (
    AccessError,
    ConfigurationError,
    EntryNotFoundError,
    FluxSecretError,
    FluxYamlError,
    ForbiddenError,
    GenerateError,
    IntegrityError,
    KeyNotFoundError,
    ManifestError,
    ReadRefusedError,
    RecordError,
    SecretRefError,
    SourceError,
    WriteRefusedError,
)
from flux_secret.model.app import AppName
from flux_secret.model.restart import SecretRollout


class Reason(enum.Enum):
    """Why an App stands as it does, in one word."""

    PROGRESSING = "Progressing"
    RETRYING = "ProgressingWithRetry"
    SUCCEEDED = "ReconciliationSucceeded"
    FAILED = "ReconciliationFailed"
    BUILD_FAILED = "BuildFailed"
    ARTIFACT_FAILED = "ArtifactFailed"
    PRUNE_FAILED = "PruneFailed"
    SUSPENDED = "Suspended"
    ACCESS_DENIED = "AccessDenied"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 -- a word
    SECRET_FAILED = "SecretSyncedError"  # noqa: S105 -- a word
    INVALID = "InvalidSpec"
    VERIFICATION_FAILED = "VerificationError"
    APPROVAL_MISSING = "ApprovalMissing"
    APPROVED = "Approved"
    RECORD_FAILED = "RecordFailed"


_BY_ERROR: Sequence[tuple[type[FluxSecretError], Reason]] = (
    (SourceError, Reason.ARTIFACT_FAILED),
    (GenerateError, Reason.BUILD_FAILED),
    (ManifestError, Reason.BUILD_FAILED),
    (FluxYamlError, Reason.BUILD_FAILED),
    (SecretRefError, Reason.BUILD_FAILED),
    (ReadRefusedError, Reason.ACCESS_DENIED),
    (WriteRefusedError, Reason.ACCESS_DENIED),
    (ForbiddenError, Reason.ACCESS_DENIED),
    (EntryNotFoundError, Reason.SECRET_MISSING),
    (KeyNotFoundError, Reason.SECRET_MISSING),
    (AccessError, Reason.SECRET_FAILED),
    (IntegrityError, Reason.VERIFICATION_FAILED),
    (RecordError, Reason.RECORD_FAILED),
)


def reason_of(error: FluxSecretError) -> Reason:
    """Give the word for a failure."""
    return next((reason for kind, reason in _BY_ERROR if isinstance(error, kind)), Reason.FAILED)


def is_stalled(error: FluxSecretError) -> bool:
    """Whether trying again without a change by somebody is not likely to help (kstatus)."""
    return isinstance(error, ConfigurationError | AccessError | IntegrityError)


@dataclass(frozen=True, slots=True)
class AppStatus:
    """How an App stands. Times are aware of their zone."""

    name: AppName
    ready: bool | None = None
    """None: nothing is known yet."""
    reason: Reason = Reason.PROGRESSING
    message: str = "not delivered yet"
    """In sentences, with the remedy; never a value."""
    since: datetime | None = None
    """Since when it has been ready, or not."""
    reconciling: bool = False
    stalled: bool = False
    suspended: bool = False
    applied: str = ""
    """The revision of the last delivery in full: `main@sha1:COMMIT, STORE@COMMIT`."""
    attempted: str = ""
    """The revision of the last try."""
    delivered_at: datetime | None = None
    """When everything was as it should be the last time."""
    next_try: datetime | None = None
    failures: int = 0
    """How many tries failed one after another."""
    objects: int = 0
    """How many objects it consists of."""
    notes: Sequence[str] = ()
    """What to look at though nothing failed."""
    held: Sequence[str] = ()
    """Changes of stores that are not delivered yet, for want of owners' signatures."""
    rollouts: Sequence[SecretRollout] = ()
    """Workloads some of whose pods still have the old value of a Secret."""
