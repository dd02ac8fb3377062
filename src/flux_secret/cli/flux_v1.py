"""Flux v1's other flags: accepted, so that a Deployment runs unchanged, and said to do nothing.

Every flag of fluxd 1.25 is either one of ours (`options.py`, `agent.py`) or stands here with the
reason why it has no effect (facts: flux-v1 §2.1; issue 4).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import click
import structlog

F = TypeVar("F", bound=Callable[..., Any])
_log = structlog.get_logger()


class Why(enum.Enum):
    """Why a flag of Flux v1 has no effect here, as people read it."""

    IMAGES = "image automation is out of scope: an image is changed by a commit"
    UPSTREAM = "there is no upstream service: Weave Cloud has ended"
    KEYS = "no ssh key is made here: make one with ssh-keygen and put it into the Secret"
    READS = "only kinds that a target names are read here; flux-secret adopt has that flag"
    KUBECTL = "objects are applied without kubectl; kustomize takes the kubectl on PATH"
    VERBOSITY = "write --log-level debug before the command instead"
    PLACE = "where it runs is found out by itself"
    AGENT = "it says how an agent runs, and this command does its work once"


SWITCHES: Final[Mapping[str, Why]] = {
    "--git-ci-skip": Why.IMAGES,
    "--git-set-author": Why.IMAGES,
    "--k8s-in-cluster": Why.PLACE,
    "--registry-disable-scanning": Why.IMAGES,
    "--registry-trace": Why.IMAGES,
}
"""Flags that may stand alone; `--registry-disable-scanning` asks for what is so anyway."""

VALUES: Final[Mapping[str, Why]] = {
    "--automation-interval": Why.IMAGES,
    "--connect": Why.UPSTREAM,
    "--docker-config": Why.IMAGES,
    "--git-ci-skip-message": Why.IMAGES,
    "--k8s-unsafe-exclude-resource": Why.READS,
    "--k8s-verbosity": Why.VERBOSITY,
    "--kubernetes-kubectl": Why.KUBECTL,
    "--memcached-hostname": Why.IMAGES,
    "--memcached-port": Why.IMAGES,
    "--memcached-service": Why.IMAGES,
    "--memcached-timeout": Why.IMAGES,
    "--registry-burst": Why.IMAGES,
    "--registry-cache-expiry": Why.IMAGES,
    "--registry-ecr-exclude-id": Why.IMAGES,
    "--registry-ecr-include-id": Why.IMAGES,
    "--registry-ecr-region": Why.IMAGES,
    "--registry-exclude-image": Why.IMAGES,
    "--registry-include-image": Why.IMAGES,
    "--registry-insecure-host": Why.IMAGES,
    "--registry-poll-interval": Why.IMAGES,
    "--registry-require": Why.IMAGES,
    "--registry-rps": Why.IMAGES,
    "--registry-use-labels": Why.IMAGES,
    "--rpc-timeout": Why.UPSTREAM,
    "--ssh-keygen-bits": Why.KEYS,
    "--ssh-keygen-dir": Why.KEYS,
    "--ssh-keygen-format": Why.KEYS,
    "--ssh-keygen-type": Why.KEYS,
    "--token": Why.UPSTREAM,
}
"""Flags that take a value, which is not looked at."""

AGENTS: Final = (
    "--git-email", "--git-notes-ref", "--git-poll-interval", "--git-signing-key", "--git-user",
    "--concurrent", "--delivery-memory", "--delivery-timeout", "--leader-election-id",
    "--lease-duration",
    "--listen", "--listen-health", "--listen-metrics", "--listen-token-file", "--listen-webhook",
    "--log-format", "--record-dir", "--record-git-branch", "--record-git-interval",
    "--record-git-url", "--record-keep", "--record-name", "--record-pseudonyms",
    "--record-signing-key", "--regenerate-interval", "--renew-deadline",
    "--restart-budget", "--restart-freeze", "--retry-period",
    "--sync-interval", "--unhealthy-after", "--webhook-secret-file",
)  # fmt: skip
"""Flags of the agent that mean nothing to a command which gets an agent's whole command line."""
AGENT_SWITCHES: Final = ("--custom-resources", "--leader-elect", "--restart-workloads")
"""Those among them that may stand alone."""
_SHORT: Final = {"--listen": ["-l"]}


def flux_v1_options(command: F) -> F:
    """Let the agent accept them; `warn_of` says which were given."""
    return _accepting(SWITCHES, VALUES, command)


def whole_command_line(command: F) -> F:
    """Let a command that works once accept all that a Deployment says to fluxd, or to our agent."""
    values = VALUES.keys() - {"--k8s-unsafe-exclude-resource"}  # there it has a meaning
    return _accepting([*SWITCHES, *AGENT_SWITCHES], sorted({*values, *AGENTS}), command)


def _accepting(switches: Iterable[str], values: Iterable[str], command: F) -> F:
    for name in switches:
        command = click.option(name, _parameter(name), is_flag=False, flag_value="true",
                               multiple=True, hidden=True)(command)  # fmt: skip
    for name in values:
        command = click.option(
            *_SHORT.get(name, []), name, _parameter(name), multiple=True, hidden=True
        )(command)
    return command


def warn_of(given: Mapping[str, object]) -> None:
    """Log one warning for each reason."""
    for why, flags in without_effect(given):
        _log.warning("flags.without_effect", flags=" ".join(flags), reason=why.value)


def without_effect(given: Mapping[str, object]) -> Iterator[tuple[Why, list[str]]]:
    """Give the flags for each reason, never their values (`--token`)."""
    reasons = {**SWITCHES, **VALUES, **dict.fromkeys([*AGENTS, *AGENT_SWITCHES], Why.AGENT)}
    named = {flag: why for flag, why in reasons.items() if given.get(_parameter(flag))}
    named.pop("--registry-disable-scanning", None)  # it is as they wish
    for why in Why:
        if flags := [flag for flag, reason in named.items() if reason is why]:
            yield why, flags


def _parameter(flag: str) -> str:
    return "flux_v1_" + flag.strip("-").replace("-", "_")
