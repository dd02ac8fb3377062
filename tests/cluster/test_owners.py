"""What owners agreed to, and how far a store was delivered, on record at a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from behaviour.test_owners import (
    owned,
    test_a_change_counts_when_two_owners_have_signed_it,
    test_a_fresh_machine_starts_from_what_is_on_record,
    test_a_store_that_is_rewound_needs_its_owners,
    test_an_agent_says_what_waits_and_delivers_it_when_the_signature_comes,
)
from behaviour.test_rewound_store import (
    test_a_rewind_that_is_meant_is_accepted_once,
    test_an_old_value_that_is_forced_back_is_not_delivered,
)
from simulators.fixtures import gnupg, world

__all__ = [
    "gnupg",
    "owned",
    "test_a_change_counts_when_two_owners_have_signed_it",
    "test_a_fresh_machine_starts_from_what_is_on_record",
    "test_a_rewind_that_is_meant_is_accepted_once",
    "test_a_store_that_is_rewound_needs_its_owners",
    "test_an_agent_says_what_waits_and_delivers_it_when_the_signature_comes",
    "test_an_old_value_that_is_forced_back_is_not_delivered",
    "world",
]


class Cluster(Protocol):
    @property
    def kubeconfig(self) -> Path: ...


@pytest.fixture(scope="session")
def kubeconfig(control_plane: Cluster) -> Path:
    return control_plane.kubeconfig
