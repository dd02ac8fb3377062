"""How many pods are new: counted by their mark, found by the workload's own selector."""

from __future__ import annotations

from typing import cast

import pytest

from flux_secret.apply.restart.pods import counted, selector
from flux_secret.outside.kubernetes import Client, Json, LiveObject
from unit.apply.restart.cluster import MARK


def pod(mark: str = "", *, is_going: bool = False) -> LiveObject:
    return LiveObject("p", "dev", "uid", "7", {}, {MARK: mark} if mark else {}, (), is_going)


class Pods:
    def __init__(self, *pods: LiveObject) -> None:
        self._pods = pods
        self.asked: list[str] = []

    async def list_metadata(self, _kind: object, namespace: str, labels: str) -> list[LiveObject]:
        self.asked.append(f"{namespace} {labels}")
        return list(self._pods)


TREE: dict[str, Json] = {
    "metadata": {"namespace": "dev"},
    "spec": {"selector": {"matchLabels": {"app": "web"}}},
}


async def test_pods_are_told_apart_by_their_mark() -> None:
    pods = Pods(pod(), pod("old"), pod("new"), pod("old", is_going=True))
    assert await counted(cast("Client", pods), TREE, "new") == (2, 1)
    assert await counted(cast("Client", pods), TREE, "") == (3, 0)
    assert pods.asked == ["dev app=web"] * 2


async def test_a_workload_that_selects_nothing_has_no_numbers() -> None:
    pods = Pods(pod())
    assert await counted(cast("Client", pods), {"metadata": {}}, "new") == (None, None)
    assert pods.asked == []


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"matchLabels": {"b": "1", "a": "2"}}, "a=2,b=1"),
        (
            {
                "matchExpressions": [
                    {"key": "a", "operator": "In", "values": ["1", "2"]},
                    {"key": "b", "operator": "NotIn", "values": ["3"]},
                    {"key": "c", "operator": "Exists"},
                    {"key": "d", "operator": "DoesNotExist"},
                ]
            },
            "a in (1,2),b notin (3),c,!d",
        ),
        (None, ""),
    ],
)
def test_a_selector_is_written_as_a_request_has_it(tree: Json, text: str) -> None:
    assert selector(tree) == text
