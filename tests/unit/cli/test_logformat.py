"""Lines of the log: Flux v1's keys in Flux v1's places, and nothing that a terminal would obey."""

from __future__ import annotations

import json

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.cli import logformat
from flux_secret.cli.logformat import arranged, logfmt
from flux_secret.model.plaintext import Plaintext


def line(*, headline: str = "msg", **facts: object) -> str:
    event = {"component": "sync-loop", "url": "u", "headline": headline, "event": "refreshed",
             "filename": "agent.py", "lineno": 7, "ts": "T", **facts}  # fmt: skip
    return logfmt(None, "info", arranged(None, "info", event))


def test_a_line_begins_as_flux_v1s_and_ends_with_its_level() -> None:
    assert line(headline="event", HEAD="0a1b") == (
        "ts=T caller=agent.py:7 component=sync-loop event=refreshed url=u HEAD=0a1b level=info"
    )
    assert line().split()[3] == "msg=refreshed"
    assert line(jobID="1", method="Sync").split()[2:6] == [
        "component=sync-loop", "method=Sync", "jobID=1", "msg=refreshed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", "x="),
        (None, "x=null"),
        (True, "x=true"),
        (3, "x=3"),
        ("a b", 'x="a b"'),
        ("a=b", 'x="a=b"'),
        ('a"b', 'x="a\\"b"'),
        ("a\\b", 'x="a\\\\b"'),
        ("a\nb", 'x="a\\nb"'),
        ("ü", "x=ü"),
        ("\x1b[31m\u202e\udc80", 'x="\\u001b[31m\\u202e\\udc80"'),
        ({"a": ["b"]}, 'x="{\\"a\\": [\\"b\\"]}"'),
        (Plaintext(b"hunter2"), "x=***"),
    ],
)
def test_a_value_is_quoted_as_go_does(value: object, written: str) -> None:
    assert logfmt(None, "info", {"x": value}) == written


@given(st.text())
def test_any_text_stays_on_its_line_and_comes_back(text: str) -> None:
    written = logfmt(None, "info", {"x": text}).removeprefix("x=")
    assert written.isprintable()
    assert text == (json.loads(written) if written.startswith('"') else written)


def test_json_has_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    logformat.configure("info")
    logformat.as_json()
    log = structlog.get_logger(component="daemon")
    log.info("Sync: 0a1b, a", headline="event", metadata={"commits": [{"revision": "0a1b"}]})
    log.debug("not said")
    structlog.reset_defaults()
    (written,) = capsys.readouterr().err.splitlines()
    told = json.loads(written)
    assert list(told) == ["ts", "caller", "component", "event", "metadata", "level"]
    assert told["caller"].startswith("test_logformat.py:")
    assert told["event"] == "Sync: 0a1b, a"
    assert told["metadata"]["commits"][0]["revision"] == "0a1b"
