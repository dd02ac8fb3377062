"""Jobs as Flux v1 has them: somebody asks for a sync, polls, and is told how it ended."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from flux_secret.api.interface import Agent, SyncOutcome
from flux_secret.errors import FluxSecretError

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
        task = asyncio.ensure_future(self._run(job))
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

    async def _run(self, job: Job) -> None:
        def begun() -> None:
            job.status = "running"

        try:
            outcome = await self._agent.sync(begun=begun)
        except FluxSecretError as failure:
            job.status, job.error = "failed", f"{failure.what} ({failure.remedy})"
            return
        except BaseException:
            job.status, job.error = "failed", "the agent could not do it; its log says more"
            raise
        job.commit, job.error = outcome.commit, outcome.error or _unverified(outcome)
        job.status = "failed" if job.error or outcome.exit_code else "succeeded"


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
