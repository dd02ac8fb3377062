"""What the record says of settings: what changed, and a digest; never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flux_secret.model.record import Kind
from flux_secret.settings import Flags, Settings
from flux_secret.settings.effective import said

TOKEN = "hunter2-token"
ENV = {"HOME": "/root", "PATH": "/bin", "https_proxy": f"http://u:{TOKEN}@proxy", "X": TOKEN}


def settings(**flags: Any) -> Settings:  # noqa: ANN401 -- a flag's
    given: dict[str, Any] = {
        "git_url": f"https://user:{TOKEN}@git.example.org/ops",
        "store": [f"apps=https://user:{TOKEN}@git.example.org/store"],
        "manifest_generation": True,
        "generator_env": [f"PASSWORD={TOKEN}"],
    }
    return Settings.load(Flags(**(given | flags)), ENV)


def test_a_note_names_stores_and_apps_and_has_a_digest_of_everything() -> None:
    note = said(settings())
    assert (note.kind, note.about) == (Kind.SETTINGS, "settings")
    assert note.details["stores"] == ["apps"]
    assert note.details["apps"] == ["flux/flux"]
    assert note.details["changed"] is None
    assert len(str(note.details["digest"])) == 64
    assert TOKEN not in repr(note)


def test_secrets_and_the_place_do_not_enter_the_digest() -> None:
    other = Settings.load(
        Flags(
            git_url="https://user:other@git.example.org/ops",
            store=["apps=https://user:other@git.example.org/store"],
            manifest_generation=True,
            generator_env=["PASSWORD=other"],
        ),
        {**ENV, "PATH": "/usr/bin", "X": "y", "https_proxy": "http://proxy"},
    )
    assert said(other) == said(settings())


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        ({"sync_interval": "1m"}, ["apps: flux/flux changed", "flagged"]),
        ({"regenerate_interval": "2h"}, ["regenerate_interval_seconds"]),
        ({"adopt_existing": True}, ["cluster"]),
        ({"unsafe_no_sandbox": True}, ["unsafe_no_sandbox"]),
        ({"git_gpg_key_import": [Path("/other.asc")]}, ["keys"]),
        ({"generator_env": ["PASSWORD=another"]}, []),
        ({"generator_env": ["ANOTHER=x"]}, ["apps: flux/flux changed", "flagged"]),
    ],
)
def test_what_changed_is_named(flags: dict[str, Any], changed: list[str]) -> None:
    before, now = settings(), settings(**flags)
    assert said(now, before).details["changed"] == changed
    digests = said(now).details["digest"], said(before).details["digest"]
    assert (digests[0] != digests[1]) == bool(changed)


def test_a_store_that_came_or_went_is_named() -> None:
    now = settings(store=["base=https://git.example.org/base"])
    changed = said(now, settings()).details["changed"]
    assert isinstance(changed, list)
    assert {"stores: base added", "stores: apps removed"} <= set(changed)
