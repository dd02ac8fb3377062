"""Fixtures of the walkthrough's world, for any cluster: each needs a `kubeconfig` fixture."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.gnupg import Home, home
from simulators.world import World

_numbers = itertools.count()


@pytest.fixture(scope="session")
def gnupg() -> Iterator[Home]:
    with home() as made:
        for name in ("person1", "person2", "operator", "stranger"):
            made.curve25519(f"{name}@example.org")
        yield made


@pytest.fixture
def world(
    tmp_path: Path,
    gnupg: Home,
    kubeconfig: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    namespace = f"dev-demo-{os.getpid()}-{next(_numbers)}"
    made = World(tmp_path / "world", gnupg, kubeconfig, namespace, capsys, monkeypatch)
    yield made
    made.clean()


@pytest.fixture
def walkthrough(
    tmp_path: Path,
    gnupg: Home,
    kubeconfig: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """The same with the walkthrough's own namespace."""
    made = World(tmp_path / "world", gnupg, kubeconfig, "dev-demo", capsys, monkeypatch)
    yield made
    made.clean()
