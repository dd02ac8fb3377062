"""Names of Apps → their objects: shown, watched, suspended, and asked to be delivered."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flux_secret.errors import (
    ConfigurationError,
    FluxSecretError,
    UnknownKindError,
    UnreachableError,
    UsageError,
)
from flux_secret.model.app import AppName
from flux_secret.model.report import AppReport, stamp
from flux_secret.outside.kubernetes import (
    Client,
    Gone,
    NotFoundError,
    Synced,
    Told,
    Troubled,
    Upsert,
)
from flux_secret.outside.kubernetes.body import mapping
from flux_secret.reconcile.asked.reports import is_suspended, report_of
from flux_secret.reconcile.resources import kinds
from flux_secret.reconcile.resources.kinds import Tree

REQUESTED: Final = kinds.REQUESTED[1]
_NEAR: Final = 3  # names that are suggested


class Apps:
    """The Apps of a namespace, or of all (`""`)."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def find(self, names: Collection[str] = ()) -> Sequence[Tree]:
        """Give these, or all, by name.

        Raises `UnknownKindError` where the cluster has no Apps at all, `UsageError` for one that
        is not there.
        """
        try:
            listed = await self._client.list(kinds.APPS, self._namespace, "")
        except NotFoundError:
            raise UnknownKindError(
                "this cluster knows no Apps: their definition is not installed",
                remedy="for an agent with Flux v1's flags or a settings file: flux-secret status "
                "--url URL, flux-secret suspend --agent NAMESPACE; else install them: kubectl "
                "apply --server-side -k deploy/crds",
            ) from None
        found = {kinds.name_of(tree): tree for tree in listed}
        return _named(found, names, self._namespace)

    async def suspend(self, tree: Tree, *, suspended: bool) -> bool:
        """Let an App be as it is for now, or deliver it again; say whether that is new."""
        if (mapping(tree, "spec").get("suspend") is True) == suspended:
            return False
        name = kinds.name_of(tree)
        await self._client.merge(
            kinds.APPS, name.namespace, name.name, {"spec": {"suspend": suspended}}
        )
        return True

    async def sync(self, trees: Sequence[Tree], timeout_seconds: float) -> Sequence[AppReport]:
        """Ask for a delivery of each, and give how each stands after it.

        Raises `ConfigurationError` for one that is suspended, `UnreachableError` when one was not
        done in time.
        """
        for tree in trees:
            _ensure_runs(tree)
        token = f"{stamp(datetime.now(UTC))}-{secrets.token_hex(4)}"
        names = [kinds.name_of(tree) for tree in trees]
        done: dict[AppName, AppReport] = {}

        def look(all_now: Sequence[Tree]) -> bool:
            for tree in all_now:
                name = kinds.name_of(tree)
                if name in names and token in kinds.handled(tree):
                    done[name] = report_of(tree)
            return len(done) == len(names)

        for name in names:
            await self._client.annotate(kinds.APPS, name.namespace, name.name, {REQUESTED: token})
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.watch(look)
        except TimeoutError:
            missing = ", ".join(str(name) for name in names if name not in done)
            raise UnreachableError(
                f"no agent was done with {missing} within {timeout_seconds:g} s",
                remedy="see that one runs with --custom-resources, and what it says: "
                "flux-secret logs; or wait longer with --timeout",
            ) from None
        return [done[name] for name in names]

    async def watch(self, look: Callable[[Sequence[Tree]], bool]) -> None:
        """Call `look` with all Apps, now and after each change, until it says that is enough.

        Raises what the API server refuses.
        """
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        now: dict[AppName, Tree] = {}

        def told(one: Told[Tree]) -> None:
            match one:
                case Synced(objects=objects):
                    now.clear()
                    now.update({kinds.name_of(tree): tree for tree in objects})
                case Upsert(object=tree):
                    now[kinds.name_of(tree)] = tree
                case Gone(namespace=namespace, name=name):
                    now.pop(AppName(namespace, name), None)
                case Troubled(error=error):
                    _end(ended, error)
                    return
                case _:
                    return
            if look([now[name] for name in sorted(now)]):
                _end(ended, None)

        reflector = self._client.reflector(kinds.APPS, self._namespace)
        following = asyncio.ensure_future(reflector.run(told))
        try:
            either: set[asyncio.Future[Any]] = {following, ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            ended.result()
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following


def _end(ended: asyncio.Future[None], error: FluxSecretError | None) -> None:
    if ended.done() or (error is not None and error.retryable):
        return  # what passes is waited out
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)


def _ensure_runs(tree: Tree) -> None:
    name = kinds.name_of(tree)
    if is_suspended(tree):
        says = mapping(tree, "spec").get("suspend") is True
        raise ConfigurationError(
            f"App {name} is suspended, so nobody delivers it",
            remedy=f"flux-secret resume {name.name} -n {name.namespace}"
            if says
            else f"it was suspended beside its object: flux-secret resume {name} --agent "
            "NAMESPACE, which is the agent's (--all in place of the name, when all of it were)",
        )


def _named(found: dict[AppName, Tree], names: Collection[str], namespace: str) -> Sequence[Tree]:
    if not names:
        return [found[name] for name in sorted(found)]
    chosen: dict[AppName, Tree] = {}
    for asked in names:
        space, _, short = asked.rpartition("/")
        hits = [name for name in found if name.name == short and space in {"", name.namespace}]
        if not hits:
            raise _no_such(asked, found, namespace)
        chosen |= {name: found[name] for name in hits}
    return [chosen[name] for name in sorted(chosen)]


def _no_such(asked: str, found: Collection[AppName], namespace: str) -> UsageError:
    where = f"in namespace {namespace}" if namespace else "in any namespace"
    short = asked.rpartition("/")[2]
    near = difflib.get_close_matches(short, sorted({one.name for one in found}), n=_NEAR)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    elsewhere = "" if not namespace else ", or look everywhere: flux-secret status -A"
    return UsageError(
        f"there is no App {ascii(asked)[1:-1]} {where}",
        remedy=f"{hint}name the namespace with -n{elsewhere}"
        if namespace
        else f"{hint}see which there are: flux-secret status -A",
    )
