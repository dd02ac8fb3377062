"""The embedded cluster answers as the real API server did when it was recorded.

`tests/cluster/test_embedded_equals_real.py` asks both at once and shows what differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cluster.equivalence.record import VECTORS, answers, prepare
from flux_secret.embedded.schema.kinds import built_in
from flux_secret.embedded.status import StatusError
from unit.embedded.harness import Cluster, Tree

RECORDED = json.loads(VECTORS.read_text())


class Direct:
    """Sends to the cluster without a network."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, Tree]:
        try:
            answer = self._cluster.answer(
                method, path, body, content_type, query, user_agent="equivalence/1"
            )
        except StatusError as error:
            return error.code, error.tree
        return answer.code, answer.tree


async def test_every_recorded_answer_is_given(cluster: Cluster) -> None:
    server = Direct(cluster)
    await prepare(server, "equivalence-unit")
    given = await answers(server, "equivalence-unit")
    assert given.keys() == RECORDED["answers"].keys()
    different = {title for title in given if given[title] != RECORDED["answers"][title]}
    assert not different


def test_the_schema_is_of_the_recorded_version() -> None:
    assert RECORDED["version"] == built_in().version
