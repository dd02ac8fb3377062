"""What `why` prints back of the flags that were typed."""

from __future__ import annotations

import shlex

import pytest

from flux_secret.cli.why import _print, _typed, why
from flux_secret.model.why import Chain, Link, LinkKind, State


def typed(*words: str) -> list[str]:
    return shlex.split(_typed(why.make_context("why", ["apps/demo", *words])))


def test_flags_of_a_delivery_are_given_back_and_its_own_are_not() -> None:
    words = ("--store", "a=/x y", "--store=b=/z", "--manifest-generation", "-o", "json", "--url=u")
    assert typed("--git-url", "/ops", *words, "-n", "flux") == [
        "--git-url=/ops", "--store=a=/x y", "--store=b=/z", "--manifest-generation=true",
        "--namespace=flux",
    ]  # fmt: skip


def test_a_password_of_an_address_is_not_printed() -> None:
    assert typed("--git-url=https://me:hunter2@host/ops", "--store=a=https://t0ken@host/s") == [
        "--git-url=https://***@host/ops", "--store=a=https://***@host/s",
    ]  # fmt: skip


def test_a_chain_with_a_link_that_was_not_seen_is_not_called_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commit = Link(LinkKind.COMMIT, "master")
    pods = Link(LinkKind.PODS, "web", State.UNSEEN, None, "cannot be told", "be sure", ("restart",))
    _print([Chain("demo", "demo", (commit,))])
    assert "every link is whole" in capsys.readouterr().out
    _print([Chain("demo", "demo", (commit, pods))])
    told = capsys.readouterr().out
    assert "every link is whole" not in told
    assert "no link is broken, as far as can be seen" in told
    assert "remedy: be sure\n  run:\n    restart" in told
