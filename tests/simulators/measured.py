"""What a Python child must be given so that its lines count while coverage is measured."""

from __future__ import annotations

import os


def measured() -> dict[str, str]:
    """Give coverage's own variables (`patch = ["subprocess"]` in pyproject.toml)."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
