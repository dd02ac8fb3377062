"""From what is known to what probes are told: each row of the table in `docs/operate.md`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from flux_secret.reconcile.health import Facts, Limits, live, ready

PAGE = Path(__file__).parents[3] / "docs" / "operate.md"
NOW = 10_000.0
LIMITS = Limits(stalled_seconds=120, api_seconds=60, stores_seconds=60, syncs_seconds=900)
WELL = Facts(due_at=NOW + 300, started=True)
LATE = replace(WELL, due_at=NOW - 121)

# the row's first cell → what is known, and which checks fail of /healthz and of /readyz
STATES: dict[str, tuple[Facts, set[str], set[str]]] = {
    "all is well": (WELL, set(), set()),
    "starting: not every application has had its first round": (
        replace(WELL, started=False), set(), {"started"},
    ),
    "it never gets as far as its loop": (
        replace(WELL, started=False, due_at=NOW - 121), {"loop"}, {"started", "loop"},
    ),
    "no store can be read, for more than a minute": (
        replace(WELL, unreadable_since=NOW - 61), set(), {"stores"},
    ),
    "nothing could be delivered for longer than `--unhealthy-after`": (
        replace(WELL, failing_since=NOW - 901), set(), {"syncs"},
    ),
    "the record cannot be written": (
        replace(WELL, records=True, unrecorded_since=NOW), set(), {"record"},
    ),
    "some applications fail, others are delivered": (WELL, set(), set()),
    "the API server has not answered for more than a minute": (
        replace(WELL, api_gone_since=NOW - 61), set(), {"cluster"},
    ),
    "any of these, but not for so long yet": (
        replace(WELL, unreadable_since=NOW - 60, failing_since=NOW - 900, api_gone_since=NOW - 60),
        set(), set(),
    ),
    "another replica leads": (replace(WELL, leading=False), set(), set()),
    "another replica leads, and no store can be read here": (
        replace(WELL, leading=False, unreadable_since=0.0), set(), {"stores"},
    ),
    "this replica leads": (replace(WELL, leading=True), set(), set()),
    "repositories are not asked any more, two minutes beyond the time": (
        LATE, {"loop"}, {"loop"},
    ),
    "rounds are due, and none has begun or ended for an hour": (
        replace(WELL, overdue_since=NOW - 3601), {"rounds"}, {"rounds"},
    ),
    "rounds are due, for less than an hour": (
        replace(WELL, overdue_since=NOW - 3600), set(), set(),
    ),
    "stopping": (
        replace(LATE, stopping=True, overdue_since=0.0), set(), {"shutdown"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_answer(state: str) -> None:
    facts, alive, able = STATES[state]
    assert {one.name for one in live(facts, NOW, LIMITS) if one.failed} == alive
    assert {one.name for one in ready(facts, NOW, LIMITS) if one.failed} == able


def test_the_page_has_the_same_table() -> None:
    def cell(failed: set[str]) -> str:
        return f"fails: {', '.join(f'`{one}`' for one in sorted(failed))}" if failed else "ok"

    table = PAGE.read_text().partition("## Health")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!-|State)(.+?) \| (.+?) \| (.+?) \|", table, re.MULTILINE)
    assert {row[0].lower(): row[1:] for row in rows} == {
        state.lower(): (cell(alive), cell(able)) for state, (_, alive, able) in STATES.items()
    }


def test_what_is_said_is_words_and_seconds() -> None:
    facts = replace(LATE, unreadable_since=NOW - 75, failing_since=NOW - 1000, overdue_since=0.0)
    said = [str(one) for one in ready(facts, NOW, LIMITS)]
    assert said == [
        "[+]ping ok",
        "[+]shutdown ok",
        "[-]loop failed: it is 121 s late",
        "[-]rounds failed: rounds are due, and none has begun or ended for 10000 s",
        "[+]cluster ok",
        "[+]started ok",
        "[-]stores failed: no store could be read for 75 s",
        "[-]syncs failed: nothing could be delivered for 1000 s: see the agent's log",
    ]
    full = ready(replace(WELL, records=True, unrecorded_since=NOW - 9), NOW, LIMITS)
    assert str(full[-1]) == (
        "[-]record failed: it could not be written for 9 s: nothing that has to be on it happens"
    )
    assert str(ready(replace(WELL, records=True), NOW, LIMITS)[-1]) == "[+]record ok"
    led = ready(replace(WELL, leading=False), NOW, LIMITS)
    assert str(led[-1]) == "[+]leader ok (another one)"
    leads = ready(replace(WELL, leading=True), NOW, LIMITS)
    assert str(leads[-1]) == "[+]leader ok (this one)"
