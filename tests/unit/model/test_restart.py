"""What people write about restarts: read, or refused with the place and what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import ConfigurationError
from flux_secret.model.restart import FreezeWindow, Restarted, RestartPolicy, parse_restart

WORKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))


def test_nothing_said_is_what_the_same_target_delivers_within_a_budget() -> None:
    assert parse_restart({}) == RestartPolicy(Restarted.DELIVERED, budget=10, freeze=())
    assert parse_restart({"enabled": False, "budget": 3}) is None


def test_a_policy_of_a_settings_file_is_read() -> None:
    window = {"days": ["mon-fri"], "from": "08:00", "to": "18:00", "timeZone": "Europe/Berlin"}
    policy = parse_restart({"workloads": "all", "budget": 3, "freeze": [window, "sat,Sunday"]})
    assert policy == RestartPolicy(
        Restarted.ALL,
        3,
        (
            FreezeWindow(WORKDAYS, 480, 1080, "Europe/Berlin"),
            FreezeWindow(frozenset({5, 6})),
        ),
    )


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("mon-fri 08:00-18:00 Europe/Berlin", FreezeWindow(WORKDAYS, 480, 1080, "Europe/Berlin")),
        ("22:00-06:00", FreezeWindow(EVERY_DAY, 1320, 360)),
        ("fri-mon", FreezeWindow(frozenset({4, 5, 6, 0}))),
        ("tuesday,Thu 00:00-24:00 UTC", FreezeWindow(frozenset({1, 3}))),
    ],
)
def test_a_window_is_one_text(text: str, window: FreezeWindow) -> None:
    assert FreezeWindow.parse(text) == window


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("yes", "restart is 'yes'"),
        ({"budgets": 3}, "restart has a field 'budgets'"),
        ({"enabled": "no"}, "restart.enabled is neither true nor false"),
        ({"workloads": "some"}, "restart.workloads is 'some'"),
        ({"budget": 0}, "restart.budget is '0'"),
        ({"budget": True}, "restart.budget is 'True'"),
        ({"budget": 1001}, "restart.budget is '1001'"),
        ({"freeze": "mon"}, "restart.freeze is no list"),
        ({"freeze": [{}] * 33}, "restart.freeze is no list of at most 32 windows"),
        ({"freeze": [7]}, "restart.freeze[0] is '7'"),
        ({"freeze": [{"day": "mon"}]}, "restart.freeze[0] has a field 'day'"),
        ({"freeze": [{"from": 1080}]}, "restart.freeze[0], from is '1080', which is no time"),
        ({"freeze": [{"to": "24:30"}]}, "restart.freeze[0], to is '24:30', which is no time"),
        ({"freeze": [{"from": "08:00", "to": "08:00"}]}, "restart.freeze[0] has no length"),
        ({"freeze": [{"days": []}]}, "restart.freeze[0], days: no day is named"),
        ({"freeze": [{"days": ["mon-wed-fri"]}]}, "'mon-wed-fri' is no range of days"),
        ({"freeze": [{"days": ["thusday"]}]}, "'thusday' is no day"),
        ({"freeze": [{"timeZone": "Mars/Olympus"}]}, "the time zone 'Mars/Olympus' is not known"),
        ({"freeze": [{"timeZone": "../../etc/passwd"}]}, "is not known"),
        ({"freeze": ["Europe/Berlin"]}, "'Europe/Berlin' is no freeze window"),
        ({"freeze": ["mon tue"]}, "'mon tue' is no freeze window"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_place(given: object, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_restart(given)
    assert says in refused.value.what
    assert refused.value.remedy


@given(st.text(max_size=40))
def test_any_text_is_a_window_or_our_error(text: str) -> None:
    try:
        assert FreezeWindow.parse(text).days
    except ConfigurationError as refused:
        assert refused.remedy
