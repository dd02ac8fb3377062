"""A name → the store that is meant, or what there is to name."""

from __future__ import annotations

from typing import cast

import pytest

from flux_secret.errors import UsageError
from flux_secret.store.working.mounts import Mounts
from flux_secret.store.working.store import WorkingStore


def test_without_a_root_store_one_has_to_be_named() -> None:
    unasked = cast("WorkingStore", object())
    mounts = Mounts({"team": unasked, "mine": unasked})
    with pytest.raises(UsageError) as refused:
        mounts.at("")
    assert refused.value.what == "you have no root store, and none was named"
    assert refused.value.remedy == "name the store, or a folder in it: mine, team"
