"""An agent's pods → their log, through the API server: of all Apps or of some."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import ConfigurationError, ForbiddenError, UnreachableError
from flux_secret.outside.kubernetes import Client, NotFoundError, ServedKind
from flux_secret.outside.kubernetes.body import text

PODS: Final = ServedKind("", "v1", "Pod", "pods", namespaced=True)
LABEL: Final = "app.kubernetes.io/name=flux-secret"
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
AGAIN_SECONDS: Final = 1.0
_FACT: Final = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)')
"""One of a line in logfmt; what stands in quotes is passed over as a whole."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines."""

    names: Collection[str] = ()
    """Apps, by `NAME` or `NAMESPACE/NAME`; empty: all, and what is about none."""
    level: str = "debug"
    """At least as important as that."""

    def has(self, line: str) -> bool:
        """Whether a line, logfmt or JSON, is wanted; one that is neither only if all are."""
        app, level = _facts(line)
        named = not self.names or bool({app, app.rpartition("/")[2]} & set(self.names))
        known = LEVELS.index(level) if level in LEVELS else len(LEVELS)
        return named and known >= LEVELS.index(self.level)


def _facts(line: str) -> tuple[str, str]:
    """Give the App and the level of a line."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            tree = json.loads(line)
            return text(tree, "app"), text(tree, "level")
    facts = {found[1]: found[2] for found in _FACT.finditer(line)}
    return facts.get("app", "").strip('"'), facts.get("level", "")


async def show_logs(  # noqa: PLR0913 -- what kubectl logs takes
    client: Client, namespace: str, wanted: Wanted, say: Callable[[str], None],
    *, tail: int, follow: bool,
) -> None:  # fmt: skip
    """Say the lines of every pod of the agent, one pod after another; or of all as they come.

    Raises `ConfigurationError` where no agent is, `ForbiddenError` where its log may not be read.
    """
    try:
        pods = await _pods(client, namespace)
        reading = [_Reading(client, namespace, pod, wanted, say) for pod in pods]
        if follow:
            async with asyncio.TaskGroup() as group:
                for one in reading:
                    group.create_task(one.follow(tail))
        else:
            for one in reading:
                await one.read(tail)
    except* ForbiddenError as refused:
        error = refused.exceptions[0]
        assert isinstance(error, ForbiddenError)  # noqa: S101 -- `except*` says so
        failed = ForbiddenError(
            error.what.replace("this agent", "you"),
            remedy=error.remedy.replace("this agent", "your user"),
        )
    else:
        return
    raise failed


async def _pods(client: Client, namespace: str) -> Sequence[str]:
    listed = await client.list(PODS, namespace, LABEL)
    if not listed:
        raise ConfigurationError(
            f"no pod of an agent is in namespace {namespace} (label {LABEL})",
            remedy="name the agent's namespace with -n; an agent outside the cluster logs where it "
            "runs",
        )
    return sorted(text(one, "metadata", "name") for one in listed)


@dataclass(slots=True)
class _Reading:
    """One pod's log."""

    client: Client
    namespace: str
    pod: str
    wanted: Wanted
    say: Callable[[str], None]
    last: str = ""
    """When the last line was written, as the API server says it."""

    async def read(self, tail: int, *, follow: bool = False) -> None:
        """Say what is there, and if asked what comes, until the stream ends."""
        before = self.last
        log = self.client.pod_log(
            self.namespace, self.pod, tail=tail, since=self.last, follow=follow
        )
        async with log as lines:
            async for untrusted in lines:
                when, _, line = untrusted.decode(errors="replace").partition(" ")
                if when > before and line:
                    self.last = when
                    if self.wanted.has(line):
                        self.say(line)

    async def follow(self, tail: int) -> None:
        """Go on where the stream ended, until the pod is gone."""
        while True:
            try:
                await self.read(tail, follow=True)
            except UnreachableError:
                pass  # a log that says nothing for a while is opened again
            except NotFoundError:
                return
            tail = 0
            await asyncio.sleep(AGAIN_SECONDS)
