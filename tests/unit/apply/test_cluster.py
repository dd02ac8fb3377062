from __future__ import annotations

import asyncio
import gc
import warnings
from typing import cast

import pytest

from flux_secret.apply.cluster import ApplyOptions, Cluster
from flux_secret.outside.kubernetes import Client


async def test_a_request_that_is_interrupted_before_its_turn_leaves_no_complaint() -> None:
    """Ctrl-C during `adopt` printed that a coroutine was never awaited."""
    nobody = cast("Client", None)  # it is asked nothing
    cluster = Cluster(nobody, ApplyOptions(concurrent_requests=1))
    asked: list[str] = []

    async def request(name: str) -> None:
        asked.append(name)
        await asyncio.Event().wait()

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        tasks = [asyncio.ensure_future(cluster.limited(request(name))) for name in "ab"]
        while not asked:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with pytest.raises(asyncio.CancelledError):
                await task
        gc.collect()
    assert asked == ["a"]
    assert [str(one.message) for one in complaints] == []
