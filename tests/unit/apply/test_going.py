"""Whether a namespace is being deleted is told by what the API server refuses there."""

from __future__ import annotations

import json
from typing import cast

import pytest

from flux_secret.apply.going import going
from flux_secret.errors import FluxSecretError, ForbiddenError, RejectedError, UnreachableError
from flux_secret.outside.kubernetes import Client, NotFoundError, ServedKind

ENDS = "metadata.namespace: namespace {} is being terminated"


class Server:
    """Answers for each namespace; creates nothing."""

    def __init__(self, **answers: FluxSecretError) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def try_create(self, kind: ServedKind, namespace: str, name: str, body: bytes) -> None:
        assert kind.plural == "events"
        assert json.loads(body)["metadata"] == {"namespace": namespace, "name": name}
        self.asked.append(namespace)
        if namespace in self.answers:
            raise self.answers[namespace]


async def test_one_that_ends_or_is_gone_is_told_from_one_that_refuses_for_another_reason() -> None:
    server = Server(
        ends=RejectedError("create events", said=ENDS.format("ends")),
        gone=NotFoundError("create events", missing_namespace="gone"),
        closed=ForbiddenError("not allowed"),
        picky=RejectedError("create events", said=f"a policy: {ENDS.format('picky')}"),
        other=RejectedError("create events", said=ENDS.format("another")),
    )
    asked = ["there", "ends", "gone", "closed", "picky", "other", "ends"]
    assert await going(cast("Client", server), asked) == {"ends", "gone"}
    assert server.asked == sorted(set(asked))


async def test_an_api_server_that_is_gone_says_nothing_of_namespaces() -> None:
    server = Server(dev=UnreachableError("gone"))
    with pytest.raises(UnreachableError):
        await going(cast("Client", server), ["dev"])
