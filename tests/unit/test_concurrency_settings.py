"""How many deliveries are made at once: what a person says, or what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_secret.errors import UsageError
from flux_secret.settings import Flags, Settings
from flux_secret.settings.concurrency import concurrent_of, processors


@pytest.mark.parametrize(
    ("processors", "places"), [(1, 4), (2, 8), (3, 12), (4, 16), (64, 16)], ids=str
)
def test_without_a_word_it_is_four_a_processor(
    processors: int, places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set(range(processors))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: found, raising=False)
    assert concurrent_of(Flags()) == places
    assert concurrent_of(Flags(concurrent=20)) == 20


def test_where_affinity_is_not_known_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processors() == os.cpu_count()


@pytest.mark.parametrize("number", [-1, 0, 1, 65])
def test_what_is_not_possible_is_said(number: int) -> None:
    with pytest.raises(UsageError, match=f"--concurrent {number} is not possible") as caught:
        concurrent_of(Flags(concurrent=number))
    assert "from 2 to 64" in caught.value.remedy


def test_one_app_among_others_does_not_take_all_places(tmp_path: Path) -> None:
    alone = Flags(git_url="ssh://git@example.org/ops", cache_dir=tmp_path, concurrent=20)
    assert Settings.load(alone, {}).concurrent_targets == 20
    among = Flags(custom_resources=True, cache_dir=tmp_path, concurrent=20)
    assert Settings.load(among, {}).concurrent_targets == 4
    few = Flags(custom_resources=True, cache_dir=tmp_path, concurrent=2)
    assert Settings.load(few, {}).concurrent_targets == 2
