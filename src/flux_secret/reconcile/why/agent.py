"""A chain seen from here + what an agent says of its App → the chain. Pure.

1. A suspended App is broken at its commit: nothing is delivered.
2. An agent that has delivered these very commits had keys and rights enough: what cannot be read or
   written with a person's own is not broken then, and is said not to be seen from here.
3. An agent that fails where nothing fails here: its reason names the link.
4. An agent that has not tried the newest commits yet: the commit waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flux_secret.errors import AccessError, ForbiddenError
from flux_secret.model.report import AppReport
from flux_secret.model.status import Reason
from flux_secret.model.why import FOUND, Chain, Link, LinkKind, State, in_order
from flux_secret.reconcile.why import remedies
from flux_secret.reconcile.why.seen import Again, Seen

_LINKS: Final = {
    Reason.ARTIFACT_FAILED.value: LinkKind.COMMIT,
    Reason.VERIFICATION_FAILED.value: LinkKind.COMMIT,
    Reason.INVALID.value: LinkKind.COMMIT,
    Reason.BUILD_FAILED.value: LinkKind.FILE,
    Reason.SECRET_MISSING.value: LinkKind.ENTRY,
    Reason.ACCESS_DENIED.value: LinkKind.ENTRY,
    Reason.SECRET_FAILED.value: LinkKind.KEY,
}
_OURS_ONLY: Final = frozenset({AccessError.exit_code, ForbiddenError.exit_code})
_SEEN_WITH_OWN: Final = frozenset({LinkKind.RECIPIENTS, LinkKind.KEY, LinkKind.OBJECT})


def told(chain: Chain, seen: Seen) -> Chain:
    """Take in what the agent says, if one was asked."""
    report = seen.report
    if report is None:
        return chain
    if report.suspended:
        return _with(chain, _suspended(report, seen.again))
    if report.ready is True and _is_current(report, seen):
        return replace(chain, links=tuple(map(_forgiven, chain.links)))
    if chain.broken is not None and chain.broken.exit_code != FOUND:
        return chain
    if report.ready is False:
        return _with(chain, _agents_own(report))
    return chain if report.ready is True and chain.broken is None else _with(chain, _waits(seen))


def _is_current(report: AppReport, seen: Seen) -> bool:
    revision = seen.trace.delivery.revision
    if revision is None:
        return False
    commits = [revision.commit, *(store.commit for store in revision.stores.values())]
    return all(commit[:12] in report.applied for commit in commits)


def _forgiven(link: Link) -> Link:
    if link.state is State.BROKEN and link.kind in _SEEN_WITH_OWN and link.exit_code in _OURS_ONLY:
        reason = f"cannot be seen from here ({link.reason}); the agent has delivered this commit"
        return replace(link, state=State.UNSEEN, reason=reason, remedy="", commands=(), exit_code=0)
    return link


def _suspended(report: AppReport, how: Again) -> Link:
    return Link(
        LinkKind.COMMIT, f"App {report.name}", State.BROKEN,
        reason="it is suspended: no commit is delivered until it is resumed",
        remedy="resume it; if all of its agent were suspended, it takes --all for the name",
        commands=remedies.resume(str(report.name), how), exit_code=3,
    )  # fmt: skip


def _waits(seen: Seen) -> Link:
    report = seen.report
    assert report is not None  # noqa: S101 -- asked only where there is one
    tried = report.attempted or "nothing yet"
    return Link(
        LinkKind.COMMIT, f"App {report.name}", State.BROKEN,
        reason=f"the newest commits are not delivered yet: its agent tried {tried}"
        f"{f'; {report.next}' if report.next else ''}",
        remedy="ask for it now", commands=remedies.again(seen.again), exit_code=FOUND,
    )  # fmt: skip


def _agents_own(report: AppReport) -> Link:
    """Give the break that only the agent sees, in its own words."""
    kind = _LINKS.get(report.reason, LinkKind.OBJECT)
    return Link(
        kind, f"App {report.name}", State.BROKEN, reason=report.message,
        remedy="this was not seen from here: the agent says it, of its own keys and rights",
        exit_code=report.exit_code or FOUND,
    )  # fmt: skip


def _with(chain: Chain, link: Link) -> Chain:
    """Put a break before the links of its kind; what only is not done yet follows from it."""
    links = tuple(one for one in chain.links if not _follows(one))
    return replace(chain, links=in_order((link, *links)))


def _follows(link: Link) -> bool:
    return link.state is State.BROKEN and link.exit_code == FOUND and link.kind is LinkKind.OBJECT
