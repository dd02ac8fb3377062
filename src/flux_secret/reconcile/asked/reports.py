"""An App's object → what a person is shown of it."""

from __future__ import annotations

from flux_secret.model.report import AppReport, unstamped
from flux_secret.outside.kubernetes.body import items, mapping, number, text
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.conditions import SUSPENDED
from flux_secret.reconcile.resources.kinds import Tree

_READY = {"True": True, "False": False}


def is_suspended(tree: Tree) -> bool:
    """Whether it says so itself, or its agent does: a person has said it beside the object.

    What the agent said of an earlier generation does not count: it was resumed since.
    """
    said = mapping(tree, "spec").get("suspend") is True
    now = kinds.generation_of(tree)
    return said or any(
        text(one, "type") == SUSPENDED and number(one, "observedGeneration") == now
        for one in items(mapping(tree, "status"), "conditions")
    )


def report_of(tree: Tree) -> AppReport:
    """Read it; an object that no agent has seen yet says so."""
    status = mapping(tree, "status")
    conditions = {text(one, "type"): one for one in items(status, "conditions")}
    ready, going = conditions.get("Ready", {}), conditions.get("Reconciling", {})
    unseen = AppReport(kinds.name_of(tree))
    is_old = number(status, "observedGeneration") != kinds.generation_of(tree)
    following = text(going, "message")
    if kinds.is_leaving(tree):
        following = "it is being deleted: its objects are taken back first"
    elif ready and is_old:
        following = "what it says now was not looked at yet"
    return AppReport(
        name=unseen.name,
        ready=_READY.get(text(ready, "status")),
        reason=text(ready, "reason") or unseen.reason,
        message=text(ready, "message") or unseen.message,
        since=unstamped(text(ready, "lastTransitionTime")),
        next=following,
        suspended=is_suspended(tree),
        stalled="Stalled" in conditions,
        applied=text(status, "lastAppliedRevision"),
        attempted=text(status, "lastAttemptedRevision"),
        failures=number(status, "failures"),
        objects=number(status, "objects"),
        handled=kinds.handled(tree),
    )
