"""The real gopass on a store without cryptography, its own test backend: an answer in 15 ms."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = "[mounts]\n\tpath = {store}\n[core]\n\tautosync = false\n\tautopush = false\n"


@dataclass(frozen=True)
class PlainStore:
    """Entries are files; gopass reads and writes their text as it does behind gpg."""

    gopass: Path
    root: Path

    @classmethod
    def create(cls, gopass: Path, root: Path) -> PlainStore:
        store, config = root / "store", root / ".config" / "gopass" / "config"
        store.mkdir(parents=True)
        (store / ".plain-id").write_text("0xDEADBEEF\n")
        config.parent.mkdir(parents=True)
        config.write_text(_CONFIG.format(store=store))
        return cls(gopass, root)

    def put(self, text: bytes, name: str = "entry") -> None:
        (self.root / "store" / f"{name}.txt").write_bytes(text)

    def text(self, name: str = "entry") -> bytes:
        return (self.root / "store" / f"{name}.txt").read_bytes()

    def run(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, bytes]:
        """Give the exit code and what was printed; without `stdin` there is a device."""
        done = subprocess.run(
            [self.gopass, *arguments], capture_output=True, timeout=60, check=False,
            input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
            env={
                "PATH": os.environ["PATH"], "HOME": str(self.root), "LC_ALL": "C.UTF-8",
                "GOPASS_HOMEDIR": str(self.root), "GOPASS_NO_REMINDER": "1", "NO_COLOR": "true",
            },
        )  # fmt: skip
        return done.returncode, done.stdout

    def show(self, text: bytes, key: str = "", *options: str) -> tuple[int, bytes]:
        """Put the entry and show it, or a part of it."""
        self.put(text)
        return self.run("show", *options, "entry", *([key] if key else []))
