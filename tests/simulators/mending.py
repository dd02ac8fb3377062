"""Somebody at a terminal who runs the commands that `flux-secret why` prints, as they are."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flux_secret.outside.kubectl import find_kubectl
from simulators.measured import measured
from simulators.world import APPLICATION, World

SECONDS = 60


@dataclass
class Mender:
    """A person with clones of both repositories, kubectl, an editor, and what they know."""

    world: World
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.world.root / "person"
        programs = self.home / "bin"
        programs.mkdir(parents=True)
        self._program(
            "flux-secret", f'{sys.executable} -c "from flux_secret.cli.main import run; run()" "$@"'
        )
        self._program("kubectl", f'{find_kubectl(os.environ["PATH"])} "$@"')
        for repository, name in ((self.world.ops, "ops"), (self.world.store, "apps")):
            repository.git("config", "receive.denyCurrentBranch", "updateInstead")
            self._git("clone", "--quiet", repository.url, str(self.home / name))
        config = self.home / ".config/gopass/config"
        config.parent.mkdir(parents=True)
        config.write_text(f'[mounts "apps"]\n\tpath = {self.home / "apps"}\n')
        self.edits("true")
        self.world.monkeypatch.setenv("HOME", str(self.home))
        for name in ("XDG_CONFIG_HOME", "GOPASS_HOMEDIR"):
            self.world.monkeypatch.delenv(name, raising=False)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}", "HOME": str(self.home),
            "GNUPGHOME": str(self.world.gnupg.path), "KUBECONFIG": str(self.world.kubeconfig),
            "EDITOR": str(self.home / "bin/editor"), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "devops person2", "GIT_AUTHOR_EMAIL": "devops2@example.org",
            "GIT_COMMITTER_NAME": "devops person2", "GIT_COMMITTER_EMAIL": "devops2@example.org",
            "LANG": "C.UTF-8", **measured(),
        }  # fmt: skip

    def edits(self, program: str) -> None:
        """Say what they do in their editor: a line of shell; `$2` is the file, `$1` is `+LINE`."""
        self._program("editor", program)

    def why(self, subject: str, *extra: str, path: str = APPLICATION) -> dict[str, Any]:
        """Ask, and give the chain."""
        done = self.world.run("why", subject, *self.world.flags(*extra, path=path), "-o", "json")
        assert done.out, done.err
        chains = json.loads(done.out)["chains"]
        assert len(chains) == 1
        chain = dict(chains[0])
        assert done.code == next(
            (one["exitCode"] for one in chain["links"] if one["state"] == "broken"), 0
        )
        return chain

    def broken(self, subject: str, *extra: str, path: str = APPLICATION) -> dict[str, Any]:
        """Ask, and give the first broken link."""
        chain = self.why(subject, *extra, path=path)
        found = [one for one in chain["links"] if one["state"] == "broken"]
        assert found, chain
        assert found[0]["kind"] == chain["broken"]
        return dict(found[0])

    def mend(self, link: dict[str, Any], types: str = "") -> None:
        """Run the commands as they are printed, in a clone of the applications; type an answer."""
        assert link["commands"], link
        self._git("pull", "--quiet", at="ops")
        self._git("pull", "--quiet", at="apps")
        for line in link["commands"]:
            self._run(line, types)

    def _run(self, line: str, types: str) -> None:
        """Run one line on a terminal; what is typed is typed once."""
        ours, theirs = pty.openpty()
        is_asked = any(word in line for word in ("recipients", "insert", "approve"))
        given = subprocess.PIPE if "insert" in line else theirs
        with subprocess.Popen(
            ["sh", "-c", line], cwd=self.home / "ops", env=self.environment,
            stdin=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as child:  # fmt: skip
            os.close(theirs)
            if is_asked and given is theirs:
                os.write(ours, types.encode())
            out, _ = child.communicate(
                types.encode() if given is subprocess.PIPE else None, SECONDS
            )
        os.close(ours)
        assert child.returncode == 0, f"{line}\n{out.decode()}"

    def _git(self, *words: str, at: str = "") -> None:
        done = subprocess.run(
            ["git", *words], cwd=self.home / at, env=self.environment, capture_output=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    def _program(self, name: str, line: str) -> None:
        file = self.home / "bin" / name
        file.write_text(f"#!/bin/sh\n{line}\n")
        file.chmod(0o755)


def is_at(link: dict[str, Any], file: str, line: int, commit: str) -> None:
    """See that a link names file, line, and the commit that wrote the line."""
    place = link["place"]
    assert (place["file"], place["line"]) == (file, line)
    assert place["changed"]["commit"] == commit
    assert place["changed"]["author"]


def asks_at(chain: dict[str, Any], file: str, line: int, commit: str) -> None:
    link = next(one for one in chain["links"] if one["kind"] == "file")
    assert link["state"] == "whole"
    is_at(link, file, line, commit)


def plain(world: World, value: str, kind: str = "Secret", namespace: str = "") -> str:
    """Put an application of one manifest, without commands, into the repository."""
    field = "stringData" if kind == "Secret" else "data"
    return world.ops.commit({
        "plain/names.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n"
        f"  name: {world.namespace}\n",
        "plain/secret.yaml": f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: db\n"
        f"  namespace: {namespace or world.namespace}\n{field}:\n  user: admin\n"
        f"  password: {value}\n",
    })  # fmt: skip


def delivered(world: World, *extra: str, path: str = APPLICATION) -> None:
    done = world.deliver(*extra, path=path)
    assert done.code == 0, done.out + done.err
