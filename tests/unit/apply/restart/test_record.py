"""The record of restarts: what is written is read, and nothing else is taken for it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.apply.restart import record as module
from flux_secret.apply.restart.record import Due, Record, read_record
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.names import ObjectKey

NOW = dt.datetime(2026, 11, 30, 9, 0, 0, 123, dt.UTC)
KEY = ObjectKey("apps", "Deployment", "demo", "web")
VALUES = st.dictionaries(st.text(), st.text(), max_size=3)
SECRETS = st.dictionaries(st.text(), VALUES, max_size=3)
DUE = st.builds(
    Due, st.builds(ObjectKey, st.just("apps"), st.text(), st.just("demo"), st.text()), st.text(),
    st.text(), st.just(NOW), SECRETS, st.text(),
)  # fmt: skip


def stored(written: Record) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(written.to_body("flux"))
    return tree


@given(SECRETS, st.lists(DUE, unique_by=lambda one: one.workload, max_size=3))
def test_what_is_written_is_read(secrets: dict[str, Any], due: list[Due]) -> None:
    written = Record("demo", secrets, {one.workload: one for one in due}, (NOW,), "uid", "7")
    assert read_record(stored(written)) == written


def test_it_lies_beside_the_inventories_under_a_label_of_its_own() -> None:
    metadata = stored(Record("demo"))["metadata"]
    assert metadata == {
        "name": "flux-secret-restarts-demo",
        "namespace": "flux",
        "labels": {"flux-secret.io/restarts": "v1"},
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "namespace": "other"}',
             '{"schema": 1, "namespace": "demo", "recent": ["yesterday"]}',
             '{"schema": 1, "namespace": "demo", "due": [{"since": 7}]}', "[" * 100_000],
)  # fmt: skip
def test_what_we_did_not_write_is_said_to_be_damaged(text: str) -> None:
    tree = stored(Record("demo"))
    tree["data"]["restarts.json"] = text
    with pytest.raises(IntegrityError, match="configmap/flux-secret-restarts-demo is damaged"):
        read_record(tree)


@given(st.text())
def test_any_text_is_a_record_or_our_error(text: str) -> None:
    tree = stored(Record("demo"))
    tree["data"]["restarts.json"] = text
    with pytest.raises(IntegrityError):
        read_record(tree)


def test_more_than_a_config_map_holds_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(ConfigurationError, match="namespace demo have more values"):
        Record("demo", {"s": {"k": "d" * 100}}).to_body("flux")
