"""One namespace's record → whose turn it is: restarted, or why it waits.

The oldest goes first. A workload that is restarted stays in the record until its pods are new.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from flux_secret.apply.digest import DigestKey
from flux_secret.apply.restart import budget
from flux_secret.apply.restart.consumers import Seen, Verdict, verdict
from flux_secret.apply.restart.freeze import frozen_until
from flux_secret.apply.restart.owned import Space
from flux_secret.apply.restart.record import Due, Record
from flux_secret.apply.restart.values import mark
from flux_secret.apply.restart.workloads import MARKED, SERVED, marked, one_of, seen
from flux_secret.apply.running import workload as standing
from flux_secret.errors import FluxSecretError, ObjectError, RecordError
from flux_secret.model.names import ObjectKey
from flux_secret.model.record import Kind, Note, Recorder, Unrecorded
from flux_secret.model.restart import ROLLOUT, RestartPolicy
from flux_secret.model.workload import State
from flux_secret.outside.kubernetes import Client, Json
from flux_secret.outside.kubernetes.body import encoded

MANAGER: Final = "flux-secret-restart"
"""Field manager of the mark: apart from the manifest's, so that neither removes the other's."""
_ID_BYTES: Final = 4  # as a delivery's
LOOK: Final = dt.timedelta(seconds=15)
"""Between two looks at a rollout, or tries of what was refused."""
_log = structlog.get_logger(component="restarts")


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a workload is due still."""

    why: str
    until: dt.datetime
    """When to look again."""


@dataclass(slots=True)
class Turn:
    """One look at a namespace; `record` is what is to be written after it."""

    client: Callable[[str], Client]
    """Gives a client for an account, or the agent's own for none."""
    key: DigestKey
    space: Space
    record: Record
    clock: Callable[[], dt.datetime]
    before: Mapping[ObjectKey, Wait]
    """What was waited for at the last look."""
    recorder: Recorder = field(default_factory=Unrecorded)
    """Has each restart before it happens, and after."""
    waits: dict[ObjectKey, Wait] = field(default_factory=dict)

    async def take(self) -> None:
        """Restart what may be restarted now.

        Raises what stops everything, as an API server that is gone; `record` knows what was done.
        """
        for one in sorted(self.record.due.values(), key=lambda due: (due.since, due.workload)):
            try:
                await self._rolling(one) if one.mark else await self._due(one)
            except ObjectError as refused:
                self._wait(one, Wait(refused.what, self.clock() + LOOK))

    async def _due(self, one: Due) -> None:
        policies = [self.space.policies[name] for name in one.ran if name in self.space.policies]
        if not policies:
            if not one.ran.keys() & self.space.others:
                self._drop(one, "nobody asks for it any more")
            return
        if wait := self._held(policies):
            self._wait(one, wait)
            return
        client = self._client(one)
        tree = await one_of(client, one.workload)
        live = seen(self.key, one.workload.kind, tree) if tree is not None else None
        found = verdict(one, live, self.space.secrets)
        new = self._mark(one, live) if live is not None else ""
        if found is Verdict.RESTART or (found is Verdict.ROLLED and live and live.mark == new):
            if found is Verdict.RESTART:  # else it was, and the agent ended before it noted that
                await self._restart(client, one, new)
            recent = (*budget.spent(self.record.recent, self.clock()), self.clock())
            due = {**self.record.due, one.workload: replace(one, mark=new)}
            self.record = replace(self.record, due=due, recent=recent)
            self._wait(one, Wait(ROLLOUT, self.clock() + LOOK))
        else:
            self._drop(one, found.value)

    def _held(self, policies: list[RestartPolicy]) -> Wait | None:
        now = self.clock()
        frozen = frozen_until((window for one in policies for window in one.freeze), now)
        if frozen is not None:
            return Wait(f"the end of a freeze: {frozen.isoformat(timespec='minutes')}", frozen)
        allowed = min(one.budget for one in policies)
        pause = budget.wait(self.record.recent, allowed, now)
        if pause:
            return Wait(f"the budget: {allowed} a minute in {self.record.namespace}", now + pause)
        return None

    def _mark(self, one: Due, live: Seen) -> str:
        now, since = self.space.secrets, one.since.isoformat()
        return mark(self.key, self.record.namespace, live.uses, now, since)

    def _client(self, one: Due) -> Client:
        return self.client(self.space.account(one.ran))

    async def _restart(self, client: Client, one: Due, new: str) -> None:
        kind, key = SERVED[one.workload.kind], one.workload
        body: Mapping[str, Json] = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            # the uid makes the API server refuse another object of that name
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": one.uid},
            "spec": {"template": {"metadata": {"annotations": {MARKED: new}}}},
        }
        undertaking = {"delivery": secrets.token_hex(_ID_BYTES)}
        details = {"doing": "restart", "uid": one.uid, "secrets": sorted(one.ran), **undertaking}
        await self.recorder.write([Note(Kind.INTENT, key.long, details)])
        try:
            done = await client.own(kind, key.namespace, key.name, encoded(body), MANAGER)
        except FluxSecretError as failure:
            error = {"error": failure.what, **undertaking}
            with contextlib.suppress(RecordError):  # what went wrong is the news
                await self.recorder.write([Note(Kind.OUTCOME, key.long, error)])
            raise
        version = {"resourceVersion": done.live.resource_version}
        restarted = Note(Kind.RESTARTED, key.long, {**details, **version})
        await self.recorder.write([restarted, Note(Kind.OUTCOME, key.long, undertaking)])
        _log.info("restart.done", workload=key.long, secrets=" ".join(sorted(one.ran)))

    async def _rolling(self, one: Due) -> None:
        tree = await one_of(self._client(one), one.workload)
        if tree is None or marked(tree) != one.mark:
            self._drop(one, Verdict.ROLLED.value if tree else Verdict.GONE.value)
        elif standing(one.workload, tree).status == State.READY.value:
            self._drop(one, "its pods are new")
        else:
            self._wait(one, Wait(ROLLOUT, self.clock() + LOOK))

    def _wait(self, one: Due, wait: Wait) -> None:
        """Note why it waits; it is logged once a reason."""
        said = self.before.get(one.workload)
        if said is None or said.why != wait.why:
            _log.info("restart.waits", workload=one.workload.long, reason=wait.why)
        self.waits[one.workload] = wait

    def _drop(self, one: Due, why: str) -> None:
        due = {key: other for key, other in self.record.due.items() if key != one.workload}
        self.record = replace(self.record, due=due)
        _log.info("restart.over", workload=one.workload.long, why=why)
