"""The log on stderr, as Flux v1's: logfmt, or JSON.

Each line has `ts`, `caller`, and where Flux v1 has it `component`; then what it is about, under the
key that Flux v1 has for it (`event=refreshed`, `info="trying to sync …"`, `err=…`), else under
`msg`; then its facts, and `level` at the end. So whoever greps Flux v1's lines finds ours
(facts: flux-v1 §4.3). A call names that key as `headline`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from typing import Final

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.typing import EventDict, WrappedLogger

_FIRST: Final = ("ts", "caller", "component", "method", "jobID")
_QUOTED: Final = frozenset(' ="\\')


def configure(level: str) -> None:
    """Log what is at least as important as `level`, as logfmt."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,  # whose round it is, and which delivery
            CallsiteParameterAdder({CallsiteParameter.FILENAME, CallsiteParameter.LINENO}),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            arranged,
            logfmt,
        ],
    )


def as_json() -> None:
    """Render as JSON from now on, a line each."""
    *before, _renderer = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, structlog.processors.JSONRenderer()])


def arranged(_logger: WrappedLogger, level: str, line: EventDict) -> EventDict:
    """Give the facts in their order."""
    headline, text = line.pop("headline", "msg"), line.pop("event")
    here = f"{line.pop('filename', '?')}:{line.pop('lineno', 0)}"
    line["caller"] = line.get("caller", here)  # a worker's line says where it was said
    first = {name: line.pop(name) for name in _FIRST if name in line}
    return {**first, headline: text, **line, "level": level}


def logfmt(_logger: WrappedLogger, _level: str, line: EventDict) -> str:
    """Write a line as go-logfmt does, which quotes as JSON does; no control character leaves."""
    return " ".join(f"{key}={_value(value)}" for key, value in line.items())


def _value(value: object) -> str:
    if value is None or isinstance(value, bool | Mapping | list | tuple):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    if text.isprintable() and not _QUOTED & set(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else _by_number(char) for char in quoted)


def _by_number(char: str) -> str:
    """Write a character as JSON does that has no name there."""
    return json.dumps(char)[1:-1]
