"""The agent's other two ports: a git host's call makes it deliver at once; probes are told."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from simulators.agents import SECONDS, Agent, address, agent, until, value
from simulators.repositories import Executable
from simulators.world import APPLICATION, FIRST, SECOND, World

SECRET = b"a secret that is long enough"
QUIET = ("--sync-interval=1h", "--git-poll-interval=1h")


@dataclass
class Ports:
    """A running agent with all of its ports."""

    running: Agent

    def at(self, name: str) -> str:
        listening = re.compile(rf"msg=listening\.{name} address=(\S+)")
        until(lambda: listening.search(self.running.log.read_text()) is not None)
        found = listening.search(self.running.log.read_text())
        assert found is not None
        return f"http://{found[1]}"

    def push(self, url: str, secret: bytes = SECRET) -> int:
        """Call as GitHub does when somebody has pushed."""
        body = json.dumps({"ref": "refs/heads/x", "repository": {"clone_url": url}}).encode()
        digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
        headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={digest}"}
        return asked(f"{self.at('webhook')}/hook/github", body, headers)[0]

    def probe(self, path: str) -> tuple[int, str]:
        return asked(f"{self.at('health')}{path}")


def asked(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    request = urllib.request.Request(url, body, dict(headers or {}))  # noqa: S310 -- ours
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 -- ours
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


@contextmanager
def ports(world: World) -> Iterator[Ports]:
    file = world.root / "webhook-secret"
    file.write_bytes(SECRET)
    flags = ("--listen-webhook=127.0.0.1:0", f"--webhook-secret-file={file}",
             "--listen-health=127.0.0.1:0")  # fmt: skip
    with agent(world, *QUIET, *flags) as running:
        yield Ports(running)


def test_a_push_to_a_store_is_delivered_when_its_host_calls(world: World) -> None:
    with ports(world) as one:
        until(lambda: value(world) == FIRST)
        world.put("demo", SECOND)
        assert one.push(world.store.url) == 202
        until(lambda: value(world) == SECOND)
        assert not one.running.has_said(SECRET.decode())


def test_a_push_to_the_application_is_delivered_when_its_host_calls(world: World) -> None:
    with ports(world) as one:
        until(lambda: value(world) == FIRST)
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"
        kustomization = f"{APPLICATION}/kustomization.yaml"
        before = (world.ops.path / kustomization).read_text()
        after = before.replace("- service.yaml", "- service.yaml\n  - extra.yaml")
        world.ops.commit({f"{APPLICATION}/extra.yaml": text, kustomization: after})
        assert one.push(world.ops.url) == 202
        until(lambda: world.get("configmap", "extra") is not None)


def test_a_call_that_is_not_signed_or_about_another_repository_makes_it_look_for_nothing(
    world: World,
) -> None:
    with ports(world) as one:
        until(lambda: one.probe("/readyz")[0] == 200)
        assert one.push(world.store.url, b"a wrong secret that is long enough") == 401
        assert one.push("https://github.com/org/other.git") == 202
        _, metrics = asked(f"{address(one.running)}/metrics")
        assert 'calls_total{host="github",outcome="unsigned"} 1.0' in metrics
        assert 'calls_total{host="github",outcome="unknown"} 1.0' in metrics
        world.put("demo", SECOND)
        assert one.push(world.store.url) == 202  # the only one of the three that counts
        until(lambda: value(world) == SECOND)
        assert one.running.log.read_text().count("msg=hint") == 1


def test_probes_are_told_when_it_starts_and_when_it_stops(world: World) -> None:
    with ports(world) as one:
        assert one.probe("/healthz") == (200, "ok")
        until(lambda: one.probe("/readyz") == (200, "ok"))
        assert value(world) == FIRST
        code, text = one.probe("/readyz?verbose")
        assert code == 200
        checks = ["ping", "shutdown", "loop", "rounds", "cluster", "started", "stores", "syncs"]
        assert text.splitlines() == [*(f"[+]{name} ok" for name in checks), "readyz check passed"]
        slow = Executable("#!/bin/sh\necho begun >&2\nexec sleep 50\n")
        world.ops.commit({f"{APPLICATION}/secrets.yaml.sh": slow})
        assert one.push(world.ops.url) == 202
        until(lambda: one.running.has_said("trying to sync git changes"))
        one.running.process.terminate()
        until(lambda: "[-]shutdown failed" in one.probe("/readyz")[1])
        assert one.probe("/healthz") == (200, "ok")


@pytest.mark.parametrize("flag", ["--listen-webhook=:9292", "--webhook-secret-file=x"])
def test_half_of_a_webhook_is_refused(world: World, flag: str) -> None:
    assert world.run("agent", *world.flags(flag)).code == 2


def test_it_does_not_start_with_a_secret_that_could_be_guessed(world: World) -> None:
    file = world.root / "short"
    file.write_text("short\n")
    flags = ("--listen=", "--listen-webhook=127.0.0.1:0", f"--webhook-secret-file={file}")
    done = world.run("agent", *world.flags(*flags))
    assert done.code == 3
    assert "fewer than 16 bytes" in done.err
    assert "openssl rand -hex 32" in done.err
