"""A request's query → what the write is asked to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from flux_secret.embedded.rules import problem
from flux_secret.embedded.status import Cause, Details, StatusError

MOST_MANAGER: Final = 128
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write is meant."""

    manager: str = ""
    """`?fieldManager=`; for other writes than apply, else the user agent's first word."""
    force: bool = False
    dry_run: bool = False
    validation: str = "Warn"
    """Of fields: `Ignore`, `Warn`, `Strict`."""
    warnings: list[str] = field(default_factory=list, compare=False)
    """What the answer warns of; filled while the write is handled."""


def write_options(
    query: Mapping[str, str], user_agent: str, kind: str, *, is_apply: bool = False
) -> WriteOptions:
    """Read the options; raise `StatusError` 422 with the real one's words."""
    causes: list[Cause] = []
    manager, dry_run = query.get("fieldManager", ""), query.get("dryRun", "")
    validation = query.get("fieldValidation", "") or "Warn"
    if is_apply and not manager:
        why = "is required for apply patch"
        causes.append(problem.required("fieldManager", why))
    if len(manager) > MOST_MANAGER:
        causes.append(problem.too_long("fieldManager", MOST_MANAGER))
    if _UNPRINTABLE.search(manager):
        why = "should only contain printable characters"
        causes.append(problem.invalid("fieldManager", manager, why))
    if dry_run not in {"", "All"}:
        causes.append(problem.unsupported("dryRun", dry_run, ["All"]))
    if validation not in {"Ignore", "Warn", "Strict"}:
        supported = ["", "Ignore", "Strict", "Warn"]
        causes.append(problem.unsupported("fieldValidation", validation, supported))
    if "force" in query and kind == "PatchOptions" and not is_apply:
        causes.append(problem.forbidden("force", "may not be specified for non-apply patch"))
    if causes:
        raise _invalid_options(kind, causes)
    if not manager and not is_apply:
        manager = user_agent.partition("/")[0][:MOST_MANAGER]
    return WriteOptions(
        manager=manager,
        force=query.get("force", "") in {"true", "1"},
        dry_run=dry_run == "All",
        validation=validation,
    )


def _invalid_options(kind: str, causes: list[Cause]) -> StatusError:
    listed = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
    listed = listed if len(causes) == 1 else f"[{listed}]"
    error = StatusError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid",
        f'{kind}.meta.k8s.io "" is invalid: {listed}',
        Details(causes=causes),
    )
    error.tree["details"] |= {"group": "meta.k8s.io", "kind": kind}
    return error
