"""Go's duration texts (`90s`, `1m30s`, `2h`) → seconds, as Flux v1's flags and files write them."""

from __future__ import annotations

import re
from typing import Final

from flux_secret.errors import UsageError

_UNITS: Final = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
}  # fmt: skip
_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE: Final = re.compile(rf"(?:{_TERM.pattern})+")


def parse_duration(text: str) -> float:
    """Give seconds; raise `UsageError`. `0` needs no unit (Go's time.ParseDuration).

    Negative durations, which Go reads, mean nothing here and are refused.
    """
    if text == "0":
        return 0.0
    if len(text) > 64 or not _WHOLE.fullmatch(text):  # noqa: PLR2004 -- longer is no duration
        raise UsageError(f"{text[:64]!r} is not a duration", remedy="write 30s, 5m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in _TERM.findall(text))
