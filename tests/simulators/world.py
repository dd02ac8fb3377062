"""The world of the walkthrough: stores, repositories and a cluster, and our own command line."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import structlog

from flux_secret.cli.main import run
from flux_secret.outside.kubectl import find_kubectl
from simulators.gnupg import Home
from simulators.repositories import Content, Executable, Repository

APPLICATION = "demo/overlay/dev"
FIRST = b"correct horse battery staple\n"
SECOND = b"rotated by devops person2\n"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """One application, one store, one cluster; everything in it has a namespace of its own."""

    root: Path
    gnupg: Home
    kubeconfig: Path
    namespace: str
    """Where the application lives: the walkthrough's dev-demo, or a name of the test's own."""
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    readers: Sequence[str] = ("person1@example.org", "person2@example.org", "operator@example.org")
    ops: Repository = field(init=False)
    store: Repository = field(init=False)

    def __post_init__(self) -> None:
        ids = sorted(f"0x{self.gnupg.fingerprint(one)[-16:]}" for one in self.readers)
        self.store = Repository.create(
            self.root / "application-store",
            {".gpg-id": "\n".join(ids) + "\n", "demo.gpg": self.encrypted(FIRST)},
        )
        self.ops = Repository.create(self.root / "ops", self._walkthrough())
        self.key = self.root / "flux.asc"
        self.key.write_bytes(self.gnupg.private_key("operator@example.org"))

    def _walkthrough(self) -> Mapping[str, Content]:
        base = Path(str(files("flux_secret.demo") / "ops"))
        found: dict[str, Content] = {}
        for file in sorted(base.rglob("*")):
            if file.is_file():
                text = file.read_text().replace("dev-demo", self.namespace)
                name = str(file.relative_to(base))
                found[name] = Executable(text) if name.endswith(".sh") else text
        return found

    # -- what people do --

    def encrypted(self, text: bytes) -> bytes:
        return self.gnupg.encrypt(text, self.readers)

    def put(self, entry: str, text: bytes) -> str:
        """Somebody changes an entry in gopass and pushes."""
        return self.store.commit({f"{entry}.gpg": self.encrypted(text)}, f"Save secret {entry}")

    def damage(self, entry: str, *, at_its_end: bool = False) -> str:
        """A disk, a merge or a person breaks an entry."""
        data = bytearray((self.store.path / f"{entry}.gpg").read_bytes())
        front = range(30, len(data) - 70, 5)  # every recipient's session key
        for at in range(len(data) - 24, len(data) - 8) if at_its_end else front:
            data[at] ^= 0xFF
        return self.store.commit({f"{entry}.gpg": bytes(data)}, "damage")

    def flags(self, *extra: str, path: str = APPLICATION) -> list[str]:
        return [
            f"--git-url={self.ops.url}", f"--git-path={path}", f"--store=apps={self.store.url}",
            f"--git-gpg-key-import={self.key}", "--manifest-generation",
            "--generator-env=APPLICATIONSTORE=apps", f"--namespace={self.namespace}-flux",
            f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.root / 'cache'}", *extra,
        ]  # fmt: skip

    def deliver(self, *extra: str, path: str = APPLICATION) -> Done:
        return self.run("deliver", *self.flags(*extra, path=path))

    def run(self, *arguments: str) -> Done:
        """Run our command line, all of it, in this process."""
        self.monkeypatch.setattr(sys, "argv", ["flux-secret", *arguments])
        self.capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                run()
        finally:
            structlog.reset_defaults()  # or the next test's log goes to this one's stderr, closed
        printed = self.capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    # -- what is in the cluster --

    def kubectl(self, *arguments: str, stdin: str = "") -> Done:
        done = subprocess.run(
            [find_kubectl(os.environ["PATH"]), *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.root),
                 "KUBECONFIG": str(self.kubeconfig)},
            input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """Give an object, or None when it is not there."""
        where = ["-n", self.namespace if namespace is None else namespace]
        done = self.kubectl("get", kind, name, *where, "-o", "json", "--ignore-not-found")
        assert done.code == 0, done.err
        return dict(json.loads(done.out)) if done.out.strip() else None

    def secret(self) -> tuple[bytes, str]:
        """Give the delivered value and the Secret's resourceVersion."""
        found = self.get("secret", "demo-secret")
        assert found is not None
        assert list(found["data"]) == ["demosecret"]
        value = base64.b64decode(found["data"]["demosecret"])
        return value, str(found["metadata"]["resourceVersion"])

    def clean(self) -> None:
        """Remove what the test put into a cluster that others use too."""
        names = [self.namespace, f"{self.namespace}-flux"]
        self.kubectl("delete", "namespace", *names, "--ignore-not-found", "--wait=false")
        shutil.rmtree(self.root, ignore_errors=True)
