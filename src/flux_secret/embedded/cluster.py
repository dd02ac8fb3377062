"""A whole cluster in this process: start it, point kubectl at it, make things go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import yaml
from aiohttp import web

from flux_secret.embedded.faults import Asked, Faults, Predicate, Requests
from flux_secret.embedded.server import TOKEN_PREFIX, USER, Server
from flux_secret.embedded.state import State
from flux_secret.embedded.tree import Tree, copied

START_SECONDS: Final = 10.0
SHUTDOWN_SECONDS: Final = 1.0
_NAME: Final = "embedded"


class EmbeddedCluster:
    """An in-memory Kubernetes API; open one with `EmbeddedCluster.serve`.

    It has no kubelet and no controllers, but for what the API server's own garbage collection and
    namespace deletion need. Objects live as long as it does.
    """

    def __init__(self, token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.url = ""
        self.requests = Requests()
        """What was asked of it."""
        self._faults = Faults()
        self._state = State()

    @classmethod
    @contextlib.asynccontextmanager
    async def serve(
        cls, port: int = 0, host: str = "127.0.0.1", token: str = ""
    ) -> AsyncIterator[EmbeddedCluster]:
        """Serve a new cluster on loopback until the block is left; port 0 takes a free one."""
        cluster = cls(token)
        server = Server(cluster._state, cluster.token, cluster._faults, cluster.requests)
        runner = web.AppRunner(
            server.application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            taken = runner.addresses[0]
            cluster.url = f"http://{taken[0]}:{taken[1]}"
            yield cluster
        finally:
            await runner.cleanup()

    @classmethod
    @contextlib.contextmanager
    def in_background(cls) -> Iterator[EmbeddedCluster]:
        """Serve a new cluster from a thread of its own, for callers that have no event loop."""
        started: Future[tuple[EmbeddedCluster, Callable[[], object]]] = Future()

        async def serve() -> None:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            async with cls.serve() as cluster:
                started.set_result((cluster, lambda: loop.call_soon_threadsafe(stop.set)))
                await stop.wait()

        def run() -> None:
            try:
                asyncio.run(serve())
            except BaseException as failure:  # the caller waits for it
                if started.done():
                    raise
                started.set_exception(failure)

        thread = threading.Thread(target=run, name="embedded-cluster", daemon=True)
        thread.start()
        cluster, stop = started.result(START_SECONDS)
        try:
            yield cluster
        finally:
            stop()
            thread.join(START_SECONDS)

    # -- for clients --

    def kubeconfig_text(self, namespace: str = "default") -> str:
        """Give a kubeconfig that reaches it."""
        named = {"name": _NAME}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": _NAME,
            "clusters": [named | {"cluster": {"server": self.url + TOKEN_PREFIX + self.token}}],
            "users": [{"name": USER, "user": {"token": self.token}}],
            "contexts": [
                named | {"context": {"cluster": _NAME, "user": USER, "namespace": namespace}}
            ],
        }
        return yaml.safe_dump(config, sort_keys=False)

    def write_kubeconfig(self, path: Path, namespace: str = "default") -> Path:
        """Write the kubeconfig, at once and whole, where only its owner can read it."""
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        new.write_text(self.kubeconfig_text(namespace))
        return new.replace(path)

    # -- for tests: what is there --

    def objects(self, resource: str, namespace: str = "") -> list[Tree]:
        """Give the objects of a resource (`secrets`, `deployments.apps`), by name."""
        plural, _, group = resource.partition(".")
        found = self._state.store.all((group, plural), namespace)
        return [copied(tree) for _, tree in found]

    def find(self, resource: str, name: str, namespace: str = "") -> Tree | None:
        """Give one object, or None."""
        plural, _, group = resource.partition(".")
        return self._state.store.find((group, plural), (namespace, name))

    @property
    def revision(self) -> int:
        """The revision of the last write: the same before and after means nothing was written."""
        return self._state.store.revision

    # -- for tests: what goes wrong --

    def forbid(self, verb: str, resource: str, namespace: str = "*") -> None:
        """Answer 403; `*` is any verb, any resource."""
        self._faults.forbidden.append((verb, resource, namespace))

    def allow_all(self) -> None:
        """Forbid nothing any more."""
        self._faults.forbidden.clear()

    def break_group(self, group_version: str) -> None:
        """Add an aggregated API (`metrics.k8s.io/v1beta1`) whose backend does not answer."""
        self._faults.broken[group_version] = "service unavailable"

    def mend_group(self, group_version: str) -> None:
        """Take that aggregated API away again."""
        self._faults.broken.pop(group_version, None)

    def fail_next(self, predicate: Callable[[Asked], bool] | None, status: int) -> None:
        """Answer the next request that fits (any, for None) with that status, once."""
        fits: Predicate = predicate or (lambda _asked: True)
        self._faults.failing.append((fits, status))

    def unreachable(self) -> None:
        """Drop every connection until `reachable` is called; watches within a second."""
        self._faults.is_unreachable = True
        self.drop_watches()

    def reachable(self) -> None:
        """Answer again."""
        self._faults.is_unreachable = False

    def drop_watches(self) -> None:
        """Break every watch that is open now, within a second, as a load balancer does."""
        self._faults.dropped += 1

    def compact(self) -> None:
        """Forget what happened: a watch that continues from before is answered with 410."""
        self._state.store.compacted = self._state.store.revision


async def serve_forever(
    host: str, port: int, token: str, ready: Callable[[EmbeddedCluster], None] | None = None
) -> None:
    """Serve until cancelled; `ready` is called once with the cluster, when it answers."""
    async with EmbeddedCluster.serve(port=port, host=host, token=token) as cluster:
        if ready is not None:
            ready(cluster)
        await asyncio.Event().wait()
