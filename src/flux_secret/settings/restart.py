"""Flags → how workloads are restarted for a changed Secret."""

from __future__ import annotations

from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.restart import FreezeWindow, Restarted, RestartPolicy, budget
from flux_secret.settings.flags import Flags

NONE: Final = "none"


def policy_of(flags: Flags) -> RestartPolicy | None:
    """Give the policy, None where nothing is restarted; raise `UsageError`."""
    words = {known.value: known for known in Restarted}
    if flags.restart_workloads not in {NONE, *words}:
        raise UsageError(
            f"--restart-workloads {flags.restart_workloads[:80]!a} is not known",
            remedy=f"write one of {', '.join([NONE, *words])}",
        )
    try:
        allowed = budget(flags.restart_budget, "--restart-budget")
        freeze = tuple(map(FreezeWindow.parse, flags.restart_freeze))
    except ConfigurationError as error:
        raise UsageError(error.what, remedy=error.remedy) from None
    if flags.restart_workloads == NONE:
        return None
    return RestartPolicy(words[flags.restart_workloads], allowed, freeze)
