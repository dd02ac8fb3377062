"""The real fluxctl 1.25.4, and flux-secret sync, against our API."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import yaml

from flux_secret.api.client import ask_for_sync
from flux_secret.api.interface import Repository, SyncOutcome, TargetOutcome
from flux_secret.api.metrics import Metrics
from flux_secret.api.server import listening
from flux_secret.errors import (
    AccessError,
    ConfigurationError,
    FluxSecretError,
    UnreachableError,
    UsageError,
)
from flux_secret.model.app import AppName
from flux_secret.model.identity import DeployKey, Fingerprint
from flux_secret.model.listening import Address
from flux_secret.model.names import ObjectKey
from flux_secret.model.report import AppReport
from flux_secret.model.workload import Container, Workload
from simulators.programs import ask, said

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "a-token-that-is-long-enough"
DONE = SyncOutcome(0, COMMIT, [TargetOutcome("demo", COMMIT, changes=("secret/a created",))])
FAILED = SyncOutcome(4, COMMIT, [TargetOutcome("demo", COMMIT, "it is damaged")], "demo: damaged")
WORKLOADS = [
    Workload(
        ObjectKey("apps", "Deployment", "dev", "demo"), "ready",
        [Container("nginx", "nginx:1.27"), Container("side", "host.example:5000/side@sha256:0a1b")],
    ),
    Workload(
        ObjectKey("apps", "DaemonSet", "prod", "log"), "updating", [Container("log", "a:b:c")],
        policies={"ignore": "true", "automated": "true", "tag.log": "glob:*"},
        antecedent="this is no id", error="it was refused",
    ),
]  # fmt: skip
EXPORT = b"""---
{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "dev", "labels": {"a": "yes"}}}
---
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "demo", "namespace": "dev"},
 "spec": {"replicas": 2, "template": {"metadata": {"annotations": {"n": "\\u00851e3"}}}}}
"""


@dataclass
class FakeAgent:
    """Answers a sync as it was told to."""

    outcome: SyncOutcome | FluxSecretError = DONE
    repository: Repository = field(
        default_factory=lambda: Repository(
            "git@host:org/ops",
            "master",
            "demo",
            DeployKey("ssh-rsa AAAA flux\n", {"md5": Fingerprint("aa:bb", "+--+\n|oo|\n")}),
        )
    )
    synced: int = 0
    hinted: int = 0
    confirmed: set[str] = field(default_factory=set)
    failure: FluxSecretError | None = None
    """Why the cluster cannot be asked."""

    def reports(self) -> Sequence[AppReport]:
        return [AppReport(AppName("flux", "demo"), ready=True)]

    async def sync(
        self, confirmed: Collection[str] = (), *, begun: Callable[[], None] = lambda: None
    ) -> SyncOutcome:
        begun()
        self.synced += 1
        self.confirmed.update(confirmed)
        if isinstance(self.outcome, FluxSecretError):
            raise self.outcome
        return self.outcome

    def hint(self) -> None:
        self.hinted += 1

    async def workloads(self, namespace: str) -> Sequence[Workload]:
        if self.failure is not None:
            raise self.failure
        return [one for one in WORKLOADS if namespace in {"", one.key.namespace}]

    async def export(self) -> bytes:
        if self.failure is not None:
            raise self.failure
        return EXPORT


@asynccontextmanager
async def served(
    agent: FakeAgent, *, token: str | None = None, metrics_at: Address | None = None
) -> AsyncIterator[str]:
    metrics = Metrics([("demo", True)])
    async with listening(
        agent, metrics.text, api=Address("127.0.0.1", 0), metrics_at=metrics_at, token=token
    ) as address:
        yield f"http://{address}"


async def test_a_sync_that_succeeds(fluxctl: Path) -> None:
    agent = FakeAgent()
    async with served(agent) as url:
        done = await ask(fluxctl, url, "sync")
    assert (done.returncode, agent.synced) == (0, 1)
    assert said(done).splitlines() == [
        "Synchronizing with git@host:org/ops",
        "Revision of master to apply is 0123456",
        "Waiting for 0123456 to be applied ...",
        "Done.",
    ]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(FAILED, "demo: damaged"), (UnreachableError("no git", remedy="wait"), "no git (wait)")],
)
async def test_a_sync_that_fails_says_why_and_ends_with_an_error(
    fluxctl: Path, outcome: SyncOutcome | FluxSecretError, reason: str
) -> None:
    async with served(FakeAgent(outcome)) as url:
        done = await ask(fluxctl, url, "sync")
    assert done.returncode != 0
    assert reason in said(done)


async def test_the_identity_is_the_deploy_keys(fluxctl: Path) -> None:
    async with served(FakeAgent()) as url:
        assert said(await ask(fluxctl, url, "identity")) == "ssh-rsa AAAA flux\n"
        assert said(await ask(fluxctl, url, "identity", "-l")) == "aa:bb\n"
        assert said(await ask(fluxctl, url, "identity", "-v")) == "aa:bb\n+--+\n|oo|\n"
        done = await ask(fluxctl, url, "identity", "--regenerate")
    assert done.returncode != 0
    assert "does not replace its deploy key" in said(done)


async def test_workloads_are_listed_with_containers_images_and_status(fluxctl: Path) -> None:
    async with served(FakeAgent()) as url:
        every = said(await ask(fluxctl, url, "list-workloads", "--all-namespaces"))
        one = said(await ask(fluxctl, url, "list-workloads", "--namespace=prod"))
        by_container = said(await ask(fluxctl, url, "list-workloads", "-a", "-c=side"))
        as_json = json.loads(
            (await ask(fluxctl, url, "list-workloads", "-a", "-o=json")).untrusted_stdout
        )
    table = [line.split() for line in every.splitlines()]
    assert table == [
        ["WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "POLICY"],
        ["dev:deployment/demo", "nginx", "nginx:1.27", "ready"],
        ["side", "host.example:5000/side@sha256:0a1b"],
        ["prod:daemonset/log", "log", "updating", "ignore"],  # no image that fluxctl could read
    ]
    assert "prod:daemonset/log" in one
    assert "dev:" not in one
    assert "dev:deployment/demo" in by_container
    assert "prod:" not in by_container
    assert [(found["ID"], found["SyncError"]) for found in as_json] == [
        ("dev:deployment/demo", ""),
        ("prod:daemonset/log", "it was refused"),
    ]
    assert as_json[1]["Policies"] == {"ignore": "true", "automated": "true", "tag.log": "glob:*"}


async def test_what_was_delivered_is_saved_a_file_each(fluxctl: Path, tmp_path: Path) -> None:
    async with served(FakeAgent()) as url:
        done = await ask(fluxctl, url, "save", f"--out={tmp_path}")
        printed = await ask(fluxctl, url, "save")
    assert done.returncode == 0, said(done)
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.yaml")} == {
        "dev-ns.yaml",
        "dev/demo-dep.yaml",
    }
    saved = yaml.safe_load((tmp_path / "dev" / "demo-dep.yaml").read_text())
    assert saved["spec"]["template"]["metadata"]["annotations"] == {"n": "\u00851e3"}
    assert printed.untrusted_stdout.count(b"---") == 2


async def test_a_cluster_that_does_not_answer_is_told_with_the_remedy(fluxctl: Path) -> None:
    gone = UnreachableError("the API server does not answer", remedy="look at it")
    async with served(FakeAgent(failure=gone)) as url:
        for words in (["list-workloads", "-a"], ["save"]):
            done = await ask(fluxctl, url, *words)
            assert done.returncode != 0
            assert "the API server does not answer (look at it)" in said(done)


async def test_a_head_that_is_not_signed_is_a_warning_that_names_both_commits(
    fluxctl: Path,
) -> None:
    older = dataclasses.replace(DONE, head="f" * 40)
    async with served(FakeAgent(older)) as url:
        done = await ask(fluxctl, url, "sync")
    assert done.returncode == 0, said(done)
    assert "Warning: The branch HEAD in the git repo is not verified" in said(done)
    assert f"The last verified commit was {COMMIT[:8]}. HEAD is ffffffff." in said(done)
    assert f"Revision of master to apply is {COMMIT[:7]}" in said(done)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["list-images"], "no image automation"),
        (["release", "--all", "--update-all-images"], "no image automation"),
        (["automate", "--workload=dev:deployment/demo"], "does not change manifests"),
        (["lock", "--workload=dev:deployment/demo"], "write the annotation in git instead"),
    ],
)
async def test_what_is_not_supported_says_so(
    fluxctl: Path, words: Sequence[str], reason: str
) -> None:
    async with served(FakeAgent()) as url:
        done = await ask(fluxctl, url, *words)
    assert done.returncode != 0
    assert reason in said(done)


async def test_a_token_is_asked_for(fluxctl: Path) -> None:
    agent = FakeAgent()
    async with served(agent, token=TOKEN) as url:
        assert (await ask(fluxctl, url, "sync")).returncode != 0
        assert (await ask(fluxctl, url, "--token=another", "sync")).returncode != 0
        assert agent.synced == 0
        assert (await ask(fluxctl, url, f"--token={TOKEN}", "sync")).returncode == 0
        with pytest.raises(AccessError, match="a token is needed"):
            await ask_for_sync(url, None, 10.0)
        assert await ask_for_sync(url, TOKEN, 10.0) == DONE


async def test_our_own_sync_is_told_the_whole_outcome() -> None:
    async with served(FakeAgent(FAILED)) as url:
        assert await ask_for_sync(url, None, 10.0) == FAILED
    with pytest.raises(UnreachableError, match="no agent answers"):
        await ask_for_sync(url, None, 10.0)


async def test_a_web_page_may_not_ask() -> None:
    agent = FakeAgent()
    async with served(agent) as url, aiohttp.ClientSession() as session:
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example:3030"}):
            async with session.post(f"{url}/api/flux-secret/v1/sync", headers=headers) as answer:
                assert answer.status == 403
    assert agent.synced == 0


async def test_a_webhook_is_only_a_hint() -> None:
    agent = FakeAgent()
    bodies = {
        b'{"Kind": "git", "Source": {"URL": "git@other:x", "Branch": "y"}}': 202,
        b'{"kind": "git"}': 202,
        b'{"Kind": "image"}': 422,
        b"[" * 50_000: 400,
        b"x" * 100_000: 413,
    }
    async with served(agent) as url, aiohttp.ClientSession() as session:
        for body, status in bodies.items():
            async with session.post(f"{url}/api/flux/v11/notify", data=body) as answer:
                assert answer.status == status, body[:40]
    assert (agent.hinted, agent.synced) == (2, 0)


async def test_old_versions_and_unknown_paths_answer_as_flux_v1() -> None:
    statuses = {"v11/services?services=dev:deployment/demo": 200, "v11/services?services=x": 400,
                "v11/services?services=dev:deployment/demo&namespace=dev": 422,
                "v11/ping": 204, "v11/version": 200, "v5/services": 410, "v6/nothing": 404,
                "v6/jobs?id=none": 404}  # fmt: skip
    async with served(FakeAgent()) as url, aiohttp.ClientSession() as session:
        for path, status in statuses.items():
            async with session.get(f"{url}/api/flux/{path}") as answer:
                assert answer.status == status, path


async def test_metrics_have_flux_v1s_names() -> None:
    async with (
        served(FakeAgent()) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics") as answer,
    ):
        text = await answer.text()
    for line in (
        'flux_daemon_sync_duration_seconds_bucket{le="120.0",success="true"} 0.0',
        'flux_daemon_sync_duration_seconds_count{success="false"} 0.0',
        'flux_daemon_sync_manifests{success="false"} 0.0',
        'flux_daemon_job_duration_seconds_bucket{le="45.0",success="true"} 0.0',
        'flux_daemon_queue_duration_seconds_bucket{le="0.1"} 0.0',
        "flux_daemon_queue_length_count 0.0",
        "flux_git_ready 0.0",
        'flux_secret_generator_network{target="demo"} 1.0',
    ):
        assert line in text.splitlines()
    assert "\nprocess_resident_memory_bytes " in text


async def test_an_address_that_is_taken_is_an_error() -> None:
    async with served(FakeAgent()) as url:
        taken = Address("127.0.0.1", int(url.rpartition(":")[2]))
        with pytest.raises(ConfigurationError, match="cannot listen on"):
            async with listening(FakeAgent(), bytes, api=taken, metrics_at=None, token=None):
                await asyncio.sleep(0)


async def test_a_confirmation_reaches_the_agent_and_what_is_none_is_refused() -> None:
    agent = FakeAgent()
    async with served(agent) as url:
        assert await ask_for_sync(url, None, 10.0, ["0123456789ab", "fe"]) == DONE
        assert agent.confirmed == {"0123456789ab", "fe"}
        for wrong in (["not hexadecimal"], ["a"] * 101, [""]):
            with pytest.raises(UsageError, match="refuses: the body is"):
                await ask_for_sync(url, None, 10.0, wrong)
        assert agent.synced == 1
