"""The HTTP API of Flux v1, as far as `fluxctl` and flux-recv need it (facts: flux-v1 §4).

Image automation does not exist here: what asks for it is told so.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any, Final

from aiohttp import web

from flux_secret import __version__
from flux_secret.api.answers import failed, given, refused
from flux_secret.api.guard import PUBLIC_KEY
from flux_secret.api.interface import Agent
from flux_secret.api.jobs import Jobs
from flux_secret.api.workloads import shown_workload
from flux_secret.errors import FluxSecretError
from flux_secret.model.flux_v1 import RESOURCE_ID
from flux_secret.model.identity import DeployKey

PREFIX: Final = "/api/flux"
MAX_BODY: Final = 64 * 1024  # bytes of a request
_NO_IMAGES: Final = "flux-secret has no image automation: change the image in git instead"
_NO_POLICIES: Final = (
    "flux-secret does not change manifests: write the annotation in git instead; of Flux v1's it "
    "heeds ignore, and no other has an effect, since there is no image automation"
)
_NO_REGENERATION: Final = (
    "flux-secret does not replace its deploy key when it is asked over the network: put a new one "
    "into the Secret that is mounted, and restart the agent"
)
_TWO_FILTERS: Final = "cannot filter by 'namespace' and 'workloads' at the same time"  # Flux v1's
_GONE: Final = "this version of the API is no longer served; use fluxctl 1.25"


class FluxV1:
    """Answers fluxctl."""

    def __init__(self, agent: Agent, jobs: Jobs) -> None:
        self._agent = agent
        self._jobs = jobs

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        add = app.router.add_route
        add("GET", f"{PREFIX}/v11/ping", self._ping)
        add("GET", f"{PREFIX}/v11/version", self._version)
        add("POST", f"{PREFIX}/v11/notify", self._notify)
        for version in ("v6", "v11"):
            add("GET", f"{PREFIX}/{version}/services", self._workloads)
        add("GET", f"{PREFIX}/v6/jobs", self._job)
        add("GET", f"{PREFIX}/v6/sync", self._sync_status)
        add("GET", f"{PREFIX}/v6/export", self._export)
        add("POST", f"{PREFIX}/v9/update-manifests", self._update)
        add("POST", f"{PREFIX}/v9/git-repo-config", self._repository)
        add("GET", PUBLIC_KEY, self._identity)
        add("POST", PUBLIC_KEY, self._regenerate)
        for version in ("v6", "v10"):
            add("GET", f"{PREFIX}/{version}/images", self._no_images)
        add("POST", f"{PREFIX}/v6/update-images", self._no_images)
        add("PATCH", f"{PREFIX}/v6/policies", self._no_policies)
        for old in range(1, 6):
            add("*", f"{PREFIX}/v{old}/{{rest:.*}}", self._gone)

    async def _ping(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def _version(self, _request: web.Request) -> web.StreamResponse:
        return given(f"flux-secret {__version__}")

    async def _notify(self, request: web.Request) -> web.StreamResponse:
        """Take a hint of flux-recv; whatever it says, it only means: look now."""
        body = await _json(request)
        kind = next(
            (value for name, value in body.items() if name.casefold() == "kind"), None
        ) if isinstance(body, dict) else None  # fmt: skip
        if kind == "image":
            return refused(request, 422, _NO_IMAGES)
        if kind != "git":
            return refused(request, 400, 'the body is {"Kind": "git", "Source": {…}}')
        self._agent.hint()
        return web.Response(status=202)

    async def _workloads(self, request: web.Request) -> web.StreamResponse:
        namespace = request.query.get("namespace", "")
        wanted = [name for name in request.query.get("services", "").split(",") if name]
        if wanted and namespace:
            return refused(request, 422, _TWO_FILTERS)
        if wrong := [name for name in wanted if not RESOURCE_ID.match(name)]:
            return refused(
                request, 400, f"parsing service spec {wrong[0][:200]!a}: invalid service ID"
            )
        try:
            found = await self._agent.workloads(namespace)
        except FluxSecretError as failure:
            return failed(request, failure)
        shown = [shown_workload(one) for one in found]
        return given([one for one in shown if not wanted or one["ID"] in wanted])

    async def _update(self, request: web.Request) -> web.StreamResponse:
        body = await _json(request)
        if not isinstance(body, dict):
            return refused(request, 400, "the body is no JSON object")
        if body.get("type") != "sync":
            return refused(
                request, 422, _NO_POLICIES if body.get("type") == "policy" else _NO_IMAGES
            )
        return given(self._jobs.start())

    async def _job(self, request: web.Request) -> web.StreamResponse:
        job = self._jobs.get(request.query.get("id", ""))
        if job is None:
            return refused(request, 404, "there is no such job, or it is too long ago")
        return given(
            {
                "Result": {"revision": job.commit} if job.commit else {},
                "Err": job.error,
                "StatusString": job.status,
            }
        )

    async def _sync_status(self, _request: web.Request) -> web.StreamResponse:
        """Say what is still to apply: nothing, since a job ends after its round, not before."""
        return given([])

    async def _export(self, request: web.Request) -> web.StreamResponse:
        try:
            stream = await self._agent.export()
        except FluxSecretError as failure:
            return failed(request, failure)
        return given(base64.b64encode(stream).decode())  # as Go writes bytes in JSON

    async def _repository(self, request: web.Request) -> web.StreamResponse:
        if await _json(request) is True:
            return refused(request, 422, _NO_REGENERATION)
        found = self._agent.repository
        return given(
            {
                "remote": {"url": found.url, "branch": found.branch, "path": found.path},
                "publicSSHKey": _key(found.key),
                "status": "ready",
                "errors": "",
            }
        )

    async def _identity(self, _request: web.Request) -> web.StreamResponse:
        return given(_key(self._agent.repository.key))

    async def _regenerate(self, request: web.Request) -> web.StreamResponse:
        return refused(request, 422, _NO_REGENERATION)

    async def _no_images(self, request: web.Request) -> web.StreamResponse:
        return refused(request, 422, _NO_IMAGES)

    async def _no_policies(self, request: web.Request) -> web.StreamResponse:
        return refused(request, 422, _NO_POLICIES)

    async def _gone(self, request: web.Request) -> web.StreamResponse:
        return refused(request, 410, _GONE)


def _key(key: DeployKey) -> dict[str, Any]:
    prints = {name: dataclasses.asdict(one) for name, one in key.fingerprints.items()}
    return {"key": key.public, "fingerprints": prints}


async def _json(request: web.Request) -> Any:  # noqa: ANN401 -- whatever a client sent
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        return None
