"""The walkthrough's administrator: a store with the operator's keys, and `flux-secret install`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from simulators.repositories import Repository
from simulators.world import Done, World

ADMINISTRATOR = "person1@example.org"
OPERATOR = "operator@example.org"
FOLDER = "technical/k8s/prod/flux"
IMAGE = "registry.example.org/flux-secret:0.1.0"
PRIVATE = re.compile(rb"PRIVATE KEY|b3BlbnNzaC1rZXktdjE|LS0tLS1CRUdJTi")
"""What every private key has in it, as it is or in base64."""


@dataclass
class Administrator:
    """Somebody with a store, a keyring and a cluster."""

    world: World
    entries: Mapping[str, bytes] = field(init=False)
    store: Repository = field(init=False)

    def __post_init__(self) -> None:
        gnupg = self.world.gnupg
        private, public = deploy_key(self.world.root)
        self.entries = {
            "gpg-private-key": gnupg.private_key(OPERATOR),
            "gpg-public-key": gnupg.public_key(OPERATOR),
            "ssh-private-key": private,
            "ssh-public-key": public,
        }
        self.store = Repository.create(self.world.root / "admin-store", {".gpg-id": ADMINISTRATOR})
        self.keep(self.entries)
        self.world.monkeypatch.setenv("GNUPGHOME", str(gnupg.path))

    @property
    def namespace(self) -> str:
        """Where the agent lives."""
        return f"{self.world.namespace}-flux"

    @property
    def folder(self) -> str:
        return f"admin/{FOLDER}"

    def keep(self, entries: Mapping[str, bytes]) -> None:
        """Put entries into the store, as gopass does."""
        gnupg = self.world.gnupg
        self.store.commit(
            {
                f"{FOLDER}/{name}.gpg": gnupg.encrypt(text, [ADMINISTRATOR])
                for name, text in entries.items()
            }
        )

    def flags(self, *extra: str) -> list[str]:
        """Give what describes the walkthrough's agent."""
        return [
            f"--image={IMAGE}", "--git-url=git@github.com:example/applications",
            "--git-branch=main", "--git-path=demo/overlay/dev",
            "--store=apps=git@github.com:example/secrets",
            f"--namespace={self.namespace}", *extra,
        ]  # fmt: skip

    @property
    def keys(self) -> list[str]:
        return [f"--from={self.folder}", f"--store-dir={self.store.path}"]

    def install(self, *extra: str) -> Done:
        """Install for an application in the world's namespace."""
        where = f"--k8s-allow-namespace={self.world.namespace}"
        cluster = f"--kubeconfig={self.world.kubeconfig}"
        return self.world.run("install", *self.flags(*self.keys, where, cluster, *extra))


def as_agent(world: World, namespace: str) -> Path:
    """Give the kubeconfig of the agent's own service account, as its pod has it."""
    account = f"system:serviceaccount:{namespace}:flux-secret"
    token = world.kubectl("create", "token", "flux-secret", "-n", namespace)
    assert token.code == 0, token.err
    config = yaml.safe_load(world.kubectl("config", "view", "--raw", "--minify").out)
    config["users"] = [{"name": account, "user": {"token": token.out.strip()}}]
    config["contexts"][0]["context"]["user"] = account
    file = world.root / f"{namespace}.kubeconfig"
    file.write_text(json.dumps(config))
    return file


def deploy_key(folder: Path) -> tuple[bytes, bytes]:
    """Make an ssh key; give both halves."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "identity"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "flux", "-f", str(file)],
        check=True, timeout=30, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    halves = file.read_bytes(), file.with_suffix(".pub").read_bytes()
    file.unlink()
    file.with_suffix(".pub").unlink()
    return halves
