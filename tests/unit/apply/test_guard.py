from __future__ import annotations

import pytest

from flux_secret.apply.guard import (
    LiveValues,
    Loss,
    filled_keys,
    held_for_loss,
    held_for_removal,
    loss_token,
    losses,
    must_hold_removal,
    removal_token,
)
from flux_secret.apply.scope import Wanted
from flux_secret.model.delivery import Revision, StoreRevision
from flux_secret.model.names import ObjectKey, StoreName
from flux_secret.model.plaintext import Plaintext
from unit.apply.builders import SECRETS, C, entry, live

S = ObjectKey("", "Secret", "demo", "s")
OURS = live(entry({"f:data": {"f:a": {}, "f:b": {}}}))
COMMIT = Revision("a" * 40)


def wanted(**values: bytes) -> Wanted:
    secret = {name: Plaintext(value) for name, value in values.items()}
    return Wanted(S, SECRETS, {}, secret, "demo.yaml")


def lost(want: Wanted, *filled: str) -> list[str]:
    return list(map(str, losses(want, OURS, LiveValues(frozenset(filled)))))


def test_only_filled_keys_can_be_lost() -> None:
    assert lost(wanted(a=b"", b=b"x"), "a", "b") == ["a would become empty"]
    assert lost(wanted(a=b"", b=b"x"), "b") == []
    assert lost(wanted(b=b"x"), "a", "b") == ["a would vanish"]
    assert lost(wanted(b=b"x"), "b") == []
    assert lost(wanted(a=b"new", b=b"x", c=b""), "a", "b") == []


def test_a_key_that_others_own_does_not_vanish() -> None:
    there = live(
        entry({"f:data": {"f:a": {}}}), entry({"f:data": {"f:a": {}, "f:z": {}}}, "kubectl")
    )
    assert losses(wanted(), there, LiveValues(frozenset({"a", "z"}))) == []


def test_filled_keys_are_those_with_something_in_them() -> None:
    assert filled_keys({"a": "eA==", "b": "", "c": None}).filled == {"a"}


def test_a_token_names_revision_objects_and_keys() -> None:
    loss = Loss(S, "a", vanishes=False)
    tokens = {
        loss_token(COMMIT, [loss]),
        loss_token(Revision("b" * 40), [loss]),
        loss_token(Revision("a" * 40, {StoreName("apps"): StoreRevision("c" * 40)}), [loss]),
        loss_token(COMMIT, [Loss(S, "a", vanishes=True)]),
        loss_token(COMMIT, [Loss(S, "b", vanishes=False)]),
        loss_token(COMMIT, [Loss(C, "a", vanishes=False)]),
        loss_token(COMMIT, [loss, Loss(S, "b", vanishes=False)]),
        removal_token("demo", ["a" * 40], [S]),
        removal_token("demo", ["b" * 40], [S]),
        removal_token("other", ["a" * 40], [S]),
        removal_token("demo", ["a" * 40], [S, C]),
    }
    assert len(tokens) == 11
    assert all(len(token) == 12 for token in tokens)
    assert loss_token(COMMIT, [loss]) == loss_token(Revision("a" * 40), [loss])


def test_a_held_secret_says_what_and_how_to_go_on() -> None:
    error = held_for_loss([Loss(S, "a", vanishes=False)], COMMIT, "0123456789ab")
    assert error.what == (
        "secret/s in demo is held: with commit aaaaaaaaaaaa its a would become empty"
    )
    assert error.remedy.endswith("--confirm 0123456789ab")
    assert error.exit_code == 4
    assert error.token == "0123456789ab"


def keys(count: int) -> list[ObjectKey]:
    return [ObjectKey("", "ConfigMap", "demo", f"c{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("going", "owned", "held"),
    [(10, 10, False), (10, 11, False), (11, 22, False), (11, 21, True), (11, 1000, False)],
)
def test_more_than_half_and_more_than_ten_are_held(going: int, owned: int, *, held: bool) -> None:
    assert bool(must_hold_removal(keys(going), owned, everything=False)) is held


@pytest.mark.parametrize(
    ("group", "kind", "held"),
    [
        ("", "Namespace", True),
        ("", "PersistentVolumeClaim", True),
        ("", "PersistentVolume", True),
        ("apiextensions.k8s.io", "CustomResourceDefinition", True),
        ("example.org", "Namespace", False),
        ("", "Secret", False),
    ],
)
def test_precious_kinds_are_held(group: str, kind: str, *, held: bool) -> None:
    going = [*keys(1), ObjectKey(group, kind, "", "x")]
    assert bool(must_hold_removal(going, 1000, everything=False)) is held


def test_an_empty_generation_is_held() -> None:
    assert must_hold_removal(keys(1), 1, everything=True)


def test_a_long_list_is_shortened_for_people_not_for_the_token() -> None:
    error = held_for_removal("demo", "why", keys(30), ["a" * 40], "t")
    assert "and 10 more" in error.what
    assert removal_token("demo", [], keys(30)) != removal_token("demo", [], keys(29))
