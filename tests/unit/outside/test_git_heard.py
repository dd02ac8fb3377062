"""What git leaves behind → whether its remote answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.outside.git.heard import Heard, heard


@pytest.mark.parametrize(
    ("code", "was_heard"),
    [("0\n", Heard.AN_ANSWER), ("1\n", Heard.AN_ANSWER), ("128\n", Heard.AN_ANSWER),
     ("255\n", Heard.NOTHING), ("", Heard.NOTHING)],
)  # fmt: skip
def test_ssh_ends_as_the_hosts_command_did_or_with_255(
    tmp_path: Path, code: str, was_heard: Heard
) -> None:
    (tmp_path / "ssh-exit").write_text(code)
    assert heard("ssh", tmp_path) is was_heard


def test_an_ssh_that_never_started_heard_nothing(tmp_path: Path) -> None:
    assert heard("ssh", tmp_path) is Heard.NOTHING


def status(text: str) -> str:
    return f"10:00:00.000000 http.c:725              <= Recv header: {text}\n"


@pytest.mark.parametrize(
    ("lines", "was_heard"),
    [
        ([], Heard.NOTHING),
        (["HTTP/1.1 200 OK"], Heard.AN_ANSWER),
        (["HTTP/2 403"], Heard.AN_ANSWER),
        (["HTTP/1.1 401 Unauthorized", "HTTP/1.1 503 Service Unavailable"], Heard.NOT_NOW),
        (["HTTP/1.1 429 Too Many"], Heard.NOT_NOW),
        (["HTTP/1.1 200 Connection established"], Heard.NOTHING),  # it is the proxy's
        (["X-Said: HTTP/1.1 503"], Heard.NOTHING),
    ],
)
def test_http_is_judged_by_the_last_status(
    tmp_path: Path, lines: list[str], was_heard: Heard
) -> None:
    (tmp_path / "http-trace").write_text("".join(map(status, lines)))
    assert heard("https", tmp_path) is was_heard


def test_a_folder_always_answers(tmp_path: Path) -> None:
    assert heard("file", tmp_path) is Heard.AN_ANSWER
