"""An administrator at their desk: two stores, a cluster's keys, and programs that kill."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from simulators.gnupg import Home
from simulators.person import Done, Person, person

ME = "me@example.org"
KEYS = ("gpg-private-key", "gpg-public-key", "ssh-private-key", "ssh-public-key")
FOLDER = "technical/k8s/main/flux"


@dataclass(frozen=True)
class Desk:
    """An administrator with a store of their own (`team`) and an application's store (`apps`)."""

    me: Person
    admin: Person
    apps: Person

    def bootstrap(self, *words: str, check: bool = True, cluster: str = "main") -> Done:
        given = ("--cluster", cluster, "--from", "team", *words)
        return self.me.flux("bootstrap", *given, check=check)

    def types(self, answers: str, *words: str) -> Done:
        """Run flux-secret on a terminal, where the person types these answers."""
        terminal, theirs = pty.openpty()
        try:
            os.write(terminal, answers.encode())
            done = subprocess.run(
                [sys.executable, "-m", "flux_secret", *words], env=self.me.environment,
                cwd=self.me.home, stdin=theirs, capture_output=True, timeout=110, check=False,
            )  # fmt: skip
        finally:
            os.close(terminal)
            os.close(theirs)
        return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def operator(self, place: Home, cluster: str = "main") -> Home:
        """Give a GnuPG home that has the operator's private key alone."""
        name = f"team/technical/k8s/{cluster}/flux/gpg-private-key"
        place.gpg("--import", stdin=self.me.flux("store", "show", name).out)
        return place

    def reads(self, operator: Home, name: str) -> bytes:
        """Open an entry of the application's store with the operator's key."""
        return operator.gpg("--decrypt", str(self.apps.store / f"{name}.gpg"), fail=True)


@dataclass(frozen=True)
class Killer:
    """Programs that end flux-secret, by `kill -9`, when it starts one of them for a step."""

    place: Path

    @classmethod
    def at(cls, place: Path, program: str, word: str, time: int) -> Killer:
        place.mkdir()
        for name in ("gpg", "ssh-keygen", "git"):
            real, seen = shutil.which(name), place / "seen"
            kill = (
                f'case " $* " in *" {word} "*) echo >>{seen};'
                f" [ $(wc -l <{seen}) != {time} ] || {{ kill -9 $PPID; exit 1; }};; esac\n"
            )
            script = place / name
            script.write_text(
                f'#!/bin/sh\necho "$GNUPGHOME" >>{place}/homes\npwd >>{place}/homes\n'
                f'{kill if name == program else ""}exec {real} "$@"\n'
            )
            script.chmod(0o700)
        return cls(place)

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": f"{self.place}:{os.environ['PATH']}"}

    def leaves_nothing(self) -> bool:
        """Wait until every private folder that a program was given is gone."""
        names = (self.place / "homes").read_text().split()
        scratches = [Path(one) for one in set(names) if "flux-secret-scratch" in one]
        assert scratches
        for _ in range(100):
            if not any(one.exists() for one in scratches):
                return True
            threading.Event().wait(0.1)
        return False


@dataclass(frozen=True)
class _At(Person):
    """The same person at another of their stores."""

    at: Path = Path()

    @property
    def store(self) -> Path:
        return self.at


@contextmanager
def a_desk(tmp_path: Path) -> Iterator[Desk]:
    """Make one with a store of their own and an application's."""
    with person(tmp_path / "me", [ME]) as me:
        stores = {}
        for name in ("team", "apps"):
            root = tmp_path / name
            view = replace(me, env={"PASSWORD_STORE_DIR": str(root)})
            stores[name] = _At(view.home, view.gnupg, view.gopass, view.env, root)
            stores[name].makes_store(ME)
        config = me.home / ".config/gopass/config"
        config.parent.mkdir(parents=True)
        config.write_text(
            f"[mounts]\n\tpath = {me.home}/.password-store\n"
            f'[mounts "team"]\n\tpath = {tmp_path}/team\n'
            f'[mounts "apps"]\n\tpath = {tmp_path}/apps\n'
        )
        stores["team"].has({"own": b"mine\n"}, [ME])
        stores["apps"].has({"demo/db": b"hunter2\n", "prod/db": b"pr0d\n"}, [ME])
        without = replace(me, env={"PASSWORD_STORE_DIR": ""})
        yield Desk(without, stores["team"], stores["apps"])
