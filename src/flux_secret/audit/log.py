"""Delivery → one structured log line; the signed chain takes this place later (issue 5)."""

from __future__ import annotations

import structlog

from flux_secret.model.delivery import Delivery

_log = structlog.get_logger("flux_secret.delivery")


class LogAuditor:
    """Says how each delivery ended: names, commits, counts and reasons, never a value."""

    async def record(self, delivery: Delivery) -> None:
        """Write a line for the delivery, each refused read, note, remark and failed object."""
        for read in delivery.reads:
            if read.error is not None:
                _log.warning(
                    "read.refused",
                    target=delivery.target.name,
                    entry=str(read.lookup),
                    store_commit=read.commit[:12],
                    reason=read.error.what,
                )
        for note in delivery.notes:
            _log.warning("delivery.note", target=delivery.target.name, note=note)
        for remark in delivery.remarks:
            _log.warning(
                "delivery.remark",
                target=delivery.target.name,
                about=remark.about,
                says=remark.says.replace("\n", "\\n"),
            )
        for change in delivery.changes.failed:
            _log.error(
                "object.failed",
                target=delivery.target.name,
                reason=change.failure,
                remedy=change.error.remedy if change.error else "",
            )
        say = _log.info if delivery.exit_code == 0 else _log.error
        say(
            "delivery.finished",
            target=delivery.target.name,
            revision=str(delivery.revision) if delivery.revision else None,
            reads=len(delivery.reads),
            changes=len(delivery.changes),
            failed=len(delivery.changes.failed),
            error=delivery.error.what if delivery.error else None,
        )
