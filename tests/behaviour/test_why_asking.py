"""What `flux-secret why` does while it finds out: it reads on the record, and writes nothing."""

from __future__ import annotations

import json

from behaviour.test_why import person
from simulators.fixtures import *  # noqa: F403 -- fixtures
from simulators.mending import Mender, delivered
from simulators.world import SECOND

__all__ = ["person"]


def test_what_is_read_to_find_out_is_on_the_persons_record(person: Mender) -> None:
    world = person.world
    world.monkeypatch.setenv("FLUX_SECRET_RECORD_DIR", str(world.root / "own"))

    def reads() -> list[tuple[str, str, str]]:
        done = world.run("audit", "log", "--entry", "apps/demo", "-o", "json")
        records = [(one["kind"], one["details"]) for one in json.loads(done.out)["records"]]
        assert {said["store"] for _, said in records} == {"apps"}
        return [(kind, said["commit"], said["command"]) for kind, said in records]

    person.why("apps/demo")
    good = world.store.head
    assert reads() == [("read", good, "why")]
    world.damage("demo", at_its_end=True)
    person.broken("apps/demo")
    assert reads()[1:] == [("refused", world.store.head, "why"), ("read", good, "why")]


def test_asking_writes_nothing(person: Mender) -> None:
    world = person.world
    everything = ("get", "namespaces,secrets,configmaps", "-A", "-o", "name")
    before = world.kubectl(*everything).out
    person.broken("secret/demo-secret")
    assert world.kubectl(*everything).out == before
    delivered(world)
    world.put("demo", SECOND)
    before = world.kubectl(*everything[:-1], "yaml").out
    person.broken("secret/demo-secret")
    assert world.kubectl(*everything[:-1], "yaml").out == before
    assert world.ops.git("tag") == ""
