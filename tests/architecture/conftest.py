"""The code, its settings and its pages, as text and as syntax trees."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
DOCS = ROOT / "docs"


@pytest.fixture(scope="session")
def modules() -> Mapping[str, ast.Module]:
    """Every module of the program: its file, relative to `src`, and its tree."""
    files = sorted(SOURCE.rglob("*.py"))
    assert files
    return {str(file.relative_to(SOURCE)): ast.parse(file.read_bytes()) for file in files}


@pytest.fixture(scope="session")
def project() -> Mapping[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
