from __future__ import annotations

import pytest

from flux_secret.errors import UsageError
from flux_secret.reconcile.replicas import Timing
from flux_secret.settings.flags import Flags
from flux_secret.settings.replicas import timing_of


def test_an_agent_is_alone_unless_it_is_told_otherwise() -> None:
    assert timing_of(Flags()) is None
    assert timing_of(Flags(leader_elect=True)) == Timing(35, 30.0, 5.0, "flux-secret")


def test_go_durations_and_a_name_are_taken() -> None:
    flags = Flags(
        leader_elect=True, lease_duration="1m", renew_deadline="40s", retry_period="500ms",
        leader_election_id="team-b",
    )  # fmt: skip
    timing = timing_of(flags)
    assert timing == Timing(60, 40.0, 0.5, "team-b")
    assert timing.leader_name == "team-b-leader"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (Flags(lease_duration="1.5s"), "no whole number of seconds"),
        (Flags(lease_duration="soon"), "--lease-duration: "),
        (Flags(renew_deadline="35s"), "do not go together"),
        (Flags(retry_period="29s"), "do not go together"),
        (Flags(leader_election_id="Team B"), "is no name"),
        (Flags(leader_election_id="x" * 64), "is no name"),
    ],
)
def test_what_cannot_be_is_refused_also_where_it_is_not_used(flags: Flags, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        timing_of(flags)
    assert refused.value.remedy
