"""Settings → a crew: workers that deliver, and what the agent answers while they do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from flux_secret.apply.cluster import ApplyOptions
from flux_secret.errors import ConfigurationError
from flux_secret.model.record import Recorder
from flux_secret.outside.deadline import Deadline
from flux_secret.outside.kubernetes import Traffic
from flux_secret.outside.sandbox import view
from flux_secret.outside.sandbox.sandbox import Sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workers.nursery import Nursery, Program
from flux_secret.reconcile.workers import Job, permitted
from flux_secret.settings import Settings
from flux_secret.wiring.keys import Keys
from flux_secret.wiring.worker import Asked, HomeOfGpg, Noted, Prepared, Task

_PROGRAM: Final = "flux_secret.wiring.worker"


@dataclass(frozen=True, slots=True)
class Crew:
    """Has jobs done by workers."""

    nursery: Nursery
    keys: Keys
    traffic: Traffic
    tools: view.Tools
    tool_path: str
    recorder: Recorder | None = None
    """Has what workers are about to do."""

    async def work(self, job: Job, answer: Callable[[Any], Awaitable[object]]) -> Any:  # noqa: ANN401 -- what came of it
        """Have one done."""

        async def answered(question: object) -> object:
            match question:
                case HomeOfGpg(imported):
                    return await (self.keys.gpg if imported else self.keys.home).serve()
                case Noted(notes) if self.recorder is not None:
                    await self.recorder.write(permitted(notes))
                    return None
                case Asked(requests):
                    self.traffic.add(requests)
                    return None
            return await answer(question)

        path = job.target.generation.env.get("PATH", self.tool_path)
        tools = {path: self.tools.of(path)} if job.target.generation.enabled else {}
        task = Task(job, tools, is_recorded=self.recorder is not None)
        return await self.nursery.work(task, answered)


def nursery_of(
    settings: Settings,
    supervisors: Supervisors,
    options: ApplyOptions,
    sandbox: Sandbox | ConfigurationError,
    held: Deadline,
) -> Nursery:
    """Say what workers need; nothing is started yet. They write nothing after what is `held`."""
    prepared = Prepared(
        settings.keys,
        settings.cluster,
        settings.cluster_env,
        options,
        settings.tool_path,
        settings.generator_bounds,
        sandbox,
    )
    program = Program(_PROGRAM, prepared, settings.cluster_env, handles=(held.handle,))
    return Nursery(program, supervisors, settings.worker_bounds)
