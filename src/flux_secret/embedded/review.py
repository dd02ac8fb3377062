"""SelfSubjectAccessReview: everything is allowed that no test forbids."""

from __future__ import annotations

from typing import Final

from flux_secret.embedded.faults import Asked, Faults
from flux_secret.embedded.tree import Tree, child, text

REVIEW: Final = "SelfSubjectAccessReview"


def allowed_review(review: Tree, faults: Faults) -> Tree:
    """Answer the review."""
    wanted = child(review, "spec", "resourceAttributes")
    group, plural = text(wanted, "group"), text(wanted, "resource")
    asked = Asked(
        verb=text(wanted, "verb"),
        resource=f"{plural}.{group}" if group else plural,
        namespace=text(wanted, "namespace"),
        name=text(wanted, "name"),
        method="",
        path="",
        user_agent="",
    )
    status = {"allowed": not faults.forbids(asked)}
    return {**review, "metadata": {}, "status": status}
