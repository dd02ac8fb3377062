"""SelfSubjectAccessReview: everything is allowed that no test forbids."""

from __future__ import annotations

from flux_secret.embedded.codec.body import read_object
from flux_secret.embedded.faults import Asked, Faults
from flux_secret.embedded.tree import Tree, child, text


def allowed_review(untrusted_body: bytes, faults: Faults) -> Tree:
    """Answer the review; raise `StatusError` 400."""
    review = read_object(untrusted_body)
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
