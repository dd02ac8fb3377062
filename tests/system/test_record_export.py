"""What `audit export` writes for other programs, and what it leaves when it cannot."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_secret.audit.line import NO_HASH
from flux_secret.model.record import Detail, Kind
from simulators.chains import Chain, recorded_chain
from simulators.person import Person, person


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", []) as made:
        yield made


def test_each_format_holds_every_record(tmp_path: Path, me: Person) -> None:
    chain = recorded_chain(tmp_path / "r")
    place = str(tmp_path / "r")
    assert me.flux("audit", "export", place).out == b"".join(chain.lines)
    rows = list(csv.DictReader(io.StringIO(_exported(me, place, "csv"))))
    assert [row["hash"] for row in rows] == chain.hashes
    assert rows[7]["about"] == "'=apps/y"
    assert not any(cell[:1] in "=+-@" for row in rows for cell in row.values() if cell)
    events = [json.loads(line) for line in _exported(me, place, "cloudevents").splitlines()]
    assert [event["data"]["hash"] for event in events] == chain.hashes
    assert {event["specversion"] for event in events} == {"1.0"}
    assert len({(event["source"], event["id"]) for event in events}) == 9
    events = [json.loads(line) for line in _exported(me, place, "ocsf").splitlines()]
    assert [event["unmapped"]["hash"] for event in events] == chain.hashes
    assert {event["class_uid"] for event in events} == {6003}
    assert [event["type_uid"] for event in events][1:3] == [600302, 600302]
    assert (events[7]["status"], events[6]["actor"]["user"]["name"]) == (
        "Failure",
        "jane@example.org",
    )


def _exported(me: Person, place: str, form: str) -> str:
    return me.flux("audit", "export", place, "--format", form).out.decode()


def test_a_signature_without_numbers_is_not_exported_as_one(tmp_path: Path, me: Person) -> None:
    details: dict[str, Detail] = {"from": True, "to": True, "head": NO_HASH, "signature": "x"}
    Chain().add(Kind.SIGNATURE, "1..1", **details).write(tmp_path / "r")
    out = tmp_path / "signatures"
    done = me.flux("audit", "export", str(tmp_path / "r"), "--signatures", str(out))
    assert "nothing of it is signed" in done.err
    assert list(out.iterdir()) == []


def test_an_export_that_fails_leaves_no_file(tmp_path: Path, me: Person) -> None:
    recorded_chain(tmp_path / "r")
    (folder,) = (tmp_path / "r").iterdir()
    out = tmp_path / "out" / "x.jsonl"
    out.parent.mkdir()
    shutil.rmtree(folder)
    assert (
        me.flux("audit", "export", str(tmp_path / "r"), "--output", str(out), check=False).code == 3
    )
    assert list(out.parent.iterdir()) == []


def test_a_dash_is_standard_output(tmp_path: Path, me: Person) -> None:
    recorded_chain(tmp_path / "r")
    done = me.flux("audit", "export", str(tmp_path / "r"), "--output", "-")
    assert done.out == me.flux("audit", "export", str(tmp_path / "r")).out
    assert done.out.count(b"\n") > 1
    assert not (me.home / "-").exists()
