"""The log on stderr: logfmt, as Flux v1's, or JSON."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Log what is at least as important as `level`, as logfmt."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.EventRenamer("msg"),
            structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"]),
        ],
    )


def as_json() -> None:
    """Render as JSON from now on, a line each."""
    *before, _renderer = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, structlog.processors.JSONRenderer()])
