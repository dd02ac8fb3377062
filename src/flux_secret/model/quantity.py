"""Kubernetes' texts for sizes (`1Gi`, `512Mi`, `1.5G`, `1000000`) ⇄ bytes."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

from flux_secret.errors import UsageError

_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_QUANTITY: Final = re.compile(
    r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,9})?)(?P<unit>k|M|G|T|Ki|Mi|Gi|Ti)?"
)


def parse_quantity(text: str) -> int:
    """Give bytes, rounded up as Kubernetes rounds; raise `UsageError`.

    Signs, exponents and parts of a byte (`500m`), which Kubernetes reads, are refused.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise UsageError(f"{text[:64]!r} is not a size", remedy="write 512Mi, 1Gi or 1.5G")
    size = Decimal(match["number"]) * _UNITS[match["unit"] or ""]
    return int(size.to_integral_value(ROUND_CEILING))


def shown_quantity(size: int) -> str:
    """Give it as people write it: in the largest binary unit of which it is a whole number."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)
