"""Every flag of fluxd 1.25 is taken: it does what it did, or is said to do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click
import pytest
import structlog.testing

from flux_secret.cli.adopt import adopt
from flux_secret.cli.agent import agent
from flux_secret.cli.deliver import deliver
from flux_secret.cli.doctor import doctor
from flux_secret.cli.flux_v1 import SWITCHES, VALUES, warn_of, without_effect
from flux_secret.cli.options import flags

VECTORS = Path(__file__).parents[2] / "vectors" / "flux_v1_flags.tsv"
OURS_DIFFER = {
    "listen": "loopback: anybody could trigger jobs (facts: flux-v1 §4.2)",
}


class Flag(NamedTuple):
    """A line of the vectors."""

    name: str
    kind: str
    default: str


def read() -> list[Flag]:
    lines = [line for line in VECTORS.read_text().splitlines() if not line.startswith("#")]
    return [Flag(*[*line.split("\t"), "", ""][:3]) for line in lines]


def option(name: str) -> click.Option | None:
    return next(
        (
            one
            for one in agent.params
            if isinstance(one, click.Option) and f"--{name}" in one.opts
        ),
        None,
    )  # fmt: skip


@pytest.mark.parametrize("flag", read(), ids=lambda flag: flag.name)
def test_every_flag_of_fluxd_is_taken_with_its_default(flag: Flag) -> None:
    taken = option(flag.name)
    assert taken is not None, f"fluxd has --{flag.name}"
    is_ours = f"--{flag.name}" not in {*SWITCHES, *VALUES}
    if is_ours and flag.default and flag.kind != "bool" and flag.name not in OURS_DIFFER:
        assert taken.default == flag.default


def test_a_switch_takes_no_value_and_may_have_one() -> None:
    for arguments in (["--registry-trace", "--git-url=x"], ["--registry-trace=false"]):
        context = agent.make_context("agent", list(arguments))
        assert context.params["flux_v1_registry_trace"]


def test_flags_without_effect_are_named_once_a_reason_and_never_their_values() -> None:
    context = agent.make_context(
        "agent",
        ["--memcached-hostname=cache", "--registry-rps=9", "--token=hunter2", "--registry-trace"],
    )
    with structlog.testing.capture_logs() as lines:
        warn_of(context.params)
    assert [line["flags"] for line in lines] == [
        "--registry-trace --memcached-hostname --registry-rps",
        "--token",
    ]
    assert "hunter2" not in str(lines)


def test_switching_scanning_off_is_what_we_do_anyway() -> None:
    context = agent.make_context("agent", ["--registry-disable-scanning"])
    with structlog.testing.capture_logs() as lines:
        warn_of(context.params)
    assert lines == []


@pytest.mark.parametrize("flag", ["sops", "git-secret"])
def test_a_switch_that_decrypts_is_ours_and_is_written_as_go_writes_it(flag: str) -> None:
    assert f"--{flag}" not in {*SWITCHES, *VALUES}
    for arguments, wanted in (
        ([], False), ([f"--{flag}"], True), ([f"--{flag}=true"], True), ([f"--{flag}=false"], False)
    ):  # fmt: skip
        context = agent.make_context("agent", list(arguments))
        assert getattr(flags(context.params), flag.replace("-", "_")) is wanted


def test_a_flag_that_nobody_knows_is_refused() -> None:
    with pytest.raises(click.NoSuchOption) as caught:
        agent.make_context("agent", ["--git-banana=1"])
    assert caught.value.exit_code == 2


def test_adopt_takes_whatever_an_agent_is_given() -> None:
    """A Deployment's arguments are handed to it as they are."""
    taken = {name for one in adopt.params for name in one.opts}
    agents = {name for one in agent.params for name in one.opts}
    assert agents - taken == {"--version"}
    assert taken - agents == {"--rollback", "--yes"}


def test_adopt_says_which_flags_mean_nothing_to_it() -> None:
    words = ["--sync-interval=1m", "-l=:3030", "--registry-rps=9", "--token=hunter2"]
    said = list(without_effect(adopt.make_context("adopt", words).params))
    assert [named for _, named in said] == [
        ["--registry-rps"], ["--token"], ["--listen", "--sync-interval"],
    ]  # fmt: skip
    assert flags(adopt.make_context("adopt", ["--sops"]).params).sops


def test_the_version_is_all_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit):
        agent.make_context("agent", ["--version"])
    assert capsys.readouterr().out.strip().replace(".", "").isalnum()


def test_doctor_takes_every_flag_that_the_agent_or_a_delivery_takes() -> None:
    """A person pastes the Deployment's arguments."""
    taken = {name for one in doctor.params for name in one.opts}
    for command in (agent, deliver):
        assert {name for one in command.params for name in one.opts} - taken == set()
    defaults = {one.name: one.default for one in doctor.params}
    for one in agent.params:
        assert defaults[one.name] == one.default, one.name
