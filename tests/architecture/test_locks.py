"""The locks agree with one another and with pyproject.toml, and pin everything by hash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from architecture.conftest import ROOT

LOCKS = ROOT / "requirements"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)(?: ; [^\\]+)? \\$", re.MULTILINE)
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[<>=!~;\[ ]", line, maxsplit=1)[0]) for line in requirements}


def pins(lock: Path) -> dict[str, str]:
    return {normal(name): version for name, version in _PIN.findall(lock.read_text())}


def test_a_lock_holds_pins_and_hashes_and_nothing_else() -> None:
    locks = sorted(LOCKS.glob("*.txt"))
    assert [lock.name for lock in locks] == ["build.txt", "dev.txt", "runtime.txt"]
    for lock in locks:
        strange = [
            line
            for line in lock.read_text().splitlines()
            if not _HASH.match(line) and not _PIN.match(line)
        ]
        assert strange == [], lock.name


def test_what_the_program_needs_is_locked(project: Mapping[str, Any]) -> None:
    wanted = names(project["project"]["dependencies"])
    wanted |= names(project["project"]["optional-dependencies"]["kubectl"])
    assert wanted <= pins(LOCKS / "runtime.txt").keys()
    assert names(project["build-system"]["requires"]) <= pins(LOCKS / "build.txt").keys()


def test_the_locks_agree(project: Mapping[str, Any]) -> None:
    assert project["project"]["requires-python"] == ">=3.11"
    dev = pins(LOCKS / "dev.txt")
    for name in ("runtime.txt", "build.txt"):
        lock = pins(LOCKS / name)
        assert lock
        assert {name: dev.get(name) for name in lock} == lock


def test_what_developers_need_is_locked() -> None:
    wanted = [
        line
        for name in ("build.in", "dev.in", "docs.in")
        for line in (LOCKS / name).read_text().split()
    ]
    assert names(wanted) <= pins(LOCKS / "dev.txt").keys()
