"""Real git repositories from dicts: the worlds that tests deliver from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Executable:
    """A file with its x bit set."""

    text: str


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    to: str


Content = str | bytes | Executable | Link
_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "devops person1",
    "GIT_AUTHOR_EMAIL": "devops1@example.org",
    "GIT_COMMITTER_NAME": "devops person1",
    "GIT_COMMITTER_EMAIL": "devops1@example.org",
}


@dataclass(frozen=True)
class Repository:
    """A work tree with one branch."""

    path: Path
    branch: str = "master"

    @classmethod
    def create(cls, path: Path, files: Mapping[str, Content], branch: str = "master") -> Self:
        path.mkdir(parents=True)
        repository = cls(path, branch)
        repository.git("init", "--quiet", f"--initial-branch={branch}")
        repository.commit(files, "first")
        return repository

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def commit(self, files: Mapping[str, Content], message: str = "change") -> str:
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            match content:
                case Executable(text):
                    file.write_text(text)
                    file.chmod(0o755)
                case Link(to):
                    file.symlink_to(to)
                case bytes():
                    file.write_bytes(content)
                case _:
                    file.write_text(content)
        self.git("add", "--all", "--force", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head

    def remove(self, name: str) -> str:
        self.git("rm", "-r", "--quiet", "--", name)
        self.git("commit", "--quiet", "--message", f"remove {name}")
        return self.head

    def blob(self, content: bytes) -> str:
        """Store bytes; give the object's id."""
        return self.git("hash-object", "-w", "--stdin", stdin=content).strip()

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Store a tree that git itself may refuse to write: (mode, name, object id) each."""
        data = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
            for mode, name, object_id in entries
        )
        words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
        return self.git(*words, stdin=data).strip()

    def commit_tree(self, tree: str) -> str:
        """Make a stored tree the branch's newest commit; the work tree stays behind."""
        commit = self.git("commit-tree", "-p", "HEAD", "-m", "crafted", tree).strip()
        self.git("update-ref", f"refs/heads/{self.branch}", commit)
        return commit

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env={**_ENV, "PATH": os.environ["PATH"]},
            input=stdin, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(errors="surrogateescape")
