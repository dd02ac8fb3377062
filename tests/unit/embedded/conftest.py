from __future__ import annotations

import pytest

from unit.embedded.harness import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
