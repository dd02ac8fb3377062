from __future__ import annotations

import pytest

from flux_secret.apply.inventory import Entry, Inventory
from flux_secret.apply.prune import Fate, fate
from flux_secret.outside.kubernetes import LiveObject
from unit.apply.builders import TARGET, C, entry, live

LISTED = Entry(C, "uid-1")
OWN = entry({"f:data": {}})
SET = Inventory(TARGET, "flux").applyset


def decided(there: LiveObject | None, listed: Entry = LISTED) -> Fate:
    return fate(listed, there, SET)[0]


def test_list_label_and_uid_together_make_it_go() -> None:
    assert decided(live(OWN)) is Fate.GO
    assert decided(live(OWN, uid="uid-2")) is Fate.DROP
    assert decided(live(OWN, labels={})) is Fate.DROP
    assert decided(live(OWN, labels={"applyset.kubernetes.io/part-of": "other"})) is Fate.DROP


def test_what_is_gone_is_forgotten_without_a_word() -> None:
    assert fate(LISTED, None, SET) == (Fate.DROP, "")


def test_an_intent_goes_only_when_we_made_it() -> None:
    assert decided(live(OWN), Entry(C)) is Fate.GO
    assert decided(live(), Entry(C)) is Fate.DROP


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("flux-secret.io/prune", "disabled", True),
        ("flux-secret.io/prune", "enabled", False),
        ("flux-secret.io/apply", "ignore", True),
        ("fluxcd.io/ignore", "true", True),
        ("fluxcd.io/ignore", "false", False),
        ("flux.weave.works/ignore", "sync_only", True),
    ],
)
def test_annotations_keep_it(name: str, value: str, *, kept: bool) -> None:
    expected = Fate.KEEP if kept else Fate.GO
    assert decided(live(OWN, annotations={name: value})) is expected


def test_what_is_going_already_is_waited_for() -> None:
    assert decided(live(OWN, is_going=True)) is Fate.KEEP
