"""What `why` prints back of the flags that were typed."""

from __future__ import annotations

import shlex

from flux_secret.cli.why import _typed, why


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
