"""Repositories and stores → which of them have a new commit; asked on an interval, and on hints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import structlog

from flux_secret.errors import FluxSecretError
from flux_secret.model.app import Followed

_log = structlog.get_logger(component="sync-loop")

Answers = Mapping[Followed, str | FluxSecretError]
"""The newest commit of each repository that was asked, or why it cannot be asked."""


class Heads(Protocol):
    """Sees new commits."""

    async def poll(self, urls: Collection[str] = ()) -> Answers:
        """Ask those that have one of these addresses, or all; each on its own."""


class Poller:
    """Looks for new commits; one repository that does not answer keeps no other from being seen."""

    def __init__(
        self,
        interval_seconds: float,
        changed: Callable[[Mapping[Followed, str]], None],
        asked: Callable[[Answers], None] = lambda _answers: None,
    ) -> None:
        """Begin; `changed` is told of heads that are new here, `asked` of every answer."""
        self.asked = asked
        self._interval_seconds = interval_seconds
        self._changed = changed
        self._hinted: set[str] = set()
        self._everything = False
        self._wake = asyncio.Event()
        self._failing: dict[Followed, str] = {}
        self._seen: dict[Followed, str] = {}

    def hint(self, urls: Collection[str] = ()) -> None:
        """Look now: at these addresses, or at all. Hints that come meanwhile are one."""
        self._hinted.update(urls)
        self._everything = self._everything or not urls
        self._wake.set()

    async def run(self, heads: Heads) -> None:
        """Look again and again, until it is cancelled; the first time at once."""
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            everything = self._everything or now() >= due
            urls = frozenset() if everything else frozenset(self._hinted)
            self._hinted.clear()
            self._everything = False
            self._wake.clear()
            if everything:
                due = now() + self._interval_seconds
            if everything or urls:
                self._note(await heads.poll(urls))
            try:
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _note(self, answers: Answers) -> None:
        self.asked(answers)
        new: dict[Followed, str] = {}
        for repository, head in answers.items():
            if isinstance(head, FluxSecretError):
                if self._failing.get(repository) != head.what:  # said once, however often it fails
                    _log.warning("poll.failed", err=head.what, remedy=head.remedy)
                self._failing[repository] = head.what
                continue
            self._failing.pop(repository, None)
            if self._seen.get(repository) != head:
                new[repository] = self._seen[repository] = head
        if new:
            self._changed(new)
