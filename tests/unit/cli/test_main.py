"""The command line: exit codes, remedies, and nothing of an exception's text."""

from __future__ import annotations

import sys

import click
import pytest

from flux_secret.cli import main as module
from flux_secret.cli.voice import printable
from flux_secret.errors import DecryptError, UnreachableError


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["flux-secret", *arguments])
    with pytest.raises(SystemExit) as ended:
        module.run()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        (DecryptError("apps/demo is damaged", remedy="look"), 4, "error: apps/demo is damaged"),
        (UnreachableError("no answer"), 5, "error: no answer"),
        (KeyError("hunter2"), 70, "error: a bug: KeyError at"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.UsageError("no such thing"), 2, "no such thing"),
    ],
)
def test_every_end_has_a_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    code: int,
    words: str,
) -> None:
    def fail(**_options: object) -> None:
        raise failure

    monkeypatch.setattr(module.main, "callback", fail)
    assert run(monkeypatch, "agent") == code
    printed = capsys.readouterr()
    assert words in printed.err
    assert "hunter2" not in printed.err
    assert "Traceback" not in printed.err


def test_what_a_terminal_would_obey_is_shown_not_obeyed() -> None:
    assert printable("branch \x1b[31mred\r\n\u202eevil") == "branch \\x1b[31mred\\r\n\\u202eevil"


@pytest.mark.parametrize("arguments", [["--help"], ["deliver", "--help"], ["--version"]])
def test_help_needs_nothing(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert run(monkeypatch, *arguments) == 0


def test_go_style_booleans_are_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = {}
    command = module.main.get_command(click.Context(module.main), "deliver")

    def note(**options: object) -> None:
        seen.update(options)

    monkeypatch.setattr(command, "callback", note)
    assert run(
        monkeypatch, "deliver", "--manifest-generation=true", "--sync-garbage-collection",
        "--adopt-existing=false", "--git-path=a", "--git-path=b,c",
    ) == 0  # fmt: skip
    assert (seen["manifest_generation"], seen["sync_garbage_collection"]) == (True, True)
    assert seen["adopt_existing"] is False
    assert seen["git_path"] == ("a", "b,c")
    monkeypatch.setenv("FLUX_SECRET_GIT_URL", "/from/environment")
    assert run(monkeypatch, "deliver") == 0
    assert seen["git_url"] == "/from/environment"
    assert capsys.readouterr().err == ""
