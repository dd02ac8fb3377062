"""Delivery → structured log lines, for people who follow an agent; the record is apart."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.model.delivery import Delivery
from flux_secret.model.flux_v1 import resource_id

_log = structlog.get_logger(component="daemon")


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
                    err=read.error.what,
                )
        for note in delivery.notes:
            _log.warning(note, headline="warning", target=delivery.target.name)
        for remark in delivery.remarks:
            _log.warning(
                "delivery.remark",
                target=delivery.target.name,
                about=remark.about,
                says=remark.says,
            )
        for held in delivery.held:
            _log.warning(
                "approval.missing",
                target=delivery.target.name,
                store=str(held.store),
                prefix=held.prefix,
                says=held.says,
            )
        for change in delivery.changes.failed:
            _log.error(
                "object.failed",
                target=delivery.target.name,
                resource=resource_id(change.key),
                err=change.failure,
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
            **_why(delivery.error),
        )


def _why(error: FluxSecretError | None) -> Mapping[str, str]:
    """Give what went wrong; no key at all where nothing did, so that `err=` finds only failures."""
    return {"err": error.what, "remedy": error.remedy} if error else {}
