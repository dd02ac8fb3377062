"""Jobs as Flux v1 has them: somebody asks for a sync, polls, and is told how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import structlog

from flux_secret.api.interface import Agent, SyncOutcome
from flux_secret.errors import FluxSecretError

_log = structlog.get_logger(component="sync-loop")
KEPT_JOBS: Final = 100  # Flux v1 keeps as many (pkg/job/status_cache.go)


@dataclass(slots=True)
class Job:
    """One request for a sync."""

    status: str = "queued"
    """`queued`, `running`, `succeeded` or `failed`."""
    commit: str = ""
    error: str = ""


class Jobs:
    """Starts syncs and remembers the last ones."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> str:
        """Begin one; give its id."""
        name, job = str(uuid.uuid4()), Job()
        self._jobs[name] = job
        while len(self._jobs) > KEPT_JOBS:
            self._jobs.popitem(last=False)
        task = asyncio.ensure_future(self._run(name, job))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return name

    def get(self, name: str) -> Job | None:
        """Give a job; None when there was none, or it is too long ago."""
        return self._jobs.get(name)

    async def close(self) -> None:
        """End the jobs that still wait."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def sync(self, confirmed: Collection[str] = ()) -> SyncOutcome:
        """Do a job and wait for it: the same with the whole outcome.

        Raises `FluxSecretError` when no round can be done.
        """
        return await self._done(str(uuid.uuid4()), Job(), confirmed)

    async def _run(self, name: str, job: Job) -> None:
        with contextlib.suppress(FluxSecretError):
            await self._done(name, job, ())

    async def _done(self, name: str, job: Job, confirmed: Collection[str]) -> SyncOutcome:
        log = _log.bind(jobID=name)

        def begun() -> None:
            job.status = "running"
            log.info("in-progress", headline="state")

        job.error = "the agent could not do it; its log says more"
        try:
            outcome = await self._agent.sync(confirmed, begun=begun)
            job.commit, job.error = outcome.commit, outcome.error or _unverified(outcome)
        except FluxSecretError as failure:
            job.error = f"{failure.what} ({failure.remedy})"
            raise
        finally:
            job.status = "failed" if job.error else "succeeded"
            if job.error:
                log.error("done", headline="state", success=False, err=job.error)
            else:
                log.info("done", headline="state", success=True)
        return outcome


def _unverified(outcome: SyncOutcome) -> str:
    """Say that the newest commit was not delivered, in Flux v1's words.

    fluxctl knows them, prints them as a warning and goes on (cmd/fluxctl/sync_cmd.go).
    """
    if outcome.head in {"", outcome.commit}:
        return ""
    return (
        "The branch HEAD in the git repo is not verified, and fluxd is unable to sync to it. The "
        f"last verified commit was {outcome.commit[:8]}. HEAD is {outcome.head[:8]}."
    )
