"""A generator's command → the same command, confined (design decision 3; ADR 0007).

Inside there is no network (unless the target's settings open it), no key, no store, no token, no
other target and no process of ours: the programs of the machine, the target's checkout, and its
scratch folder. What may be used together is bounded, and the kernel refuses what `seccomp` names.

`BUBBLEWRAP` has namespaces of its own and is taken where it works; `LANDLOCK` needs no privilege at
all, as in a pod under PodSecurity `restricted`. `OPEN` confines nothing but keeps the bounds.
"""

from __future__ import annotations

import enum
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flux_secret.model.bounds import BOUNDS, Bounds
from flux_secret.outside.sandbox import view
from flux_secret.outside.sandbox.seccomp import Sockets, program
from flux_secret.outside.supervision.confinement import Confinement
from flux_secret.outside.supervision.supervisor import FILTER


class Kind(enum.Enum):
    """What confines generators."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "Landlock and seccomp"
    OPEN = "nothing (--unsafe-no-sandbox)"


@dataclass(frozen=True, slots=True)
class Room:
    """What one target's commands may touch."""

    writable: tuple[Path, ...]
    """Its checkout and its scratch folder."""
    tools: tuple[str, ...]
    """Folders of the programs on their PATH (`view.tools`), looked up once for all commands."""
    readable: tuple[str, ...] = ()
    """Single files of ours; none for a program that we did not choose."""
    network: bool = False
    local_sockets: bool = False
    """Whether sockets in the writable folders may be connected to: a key agent's."""
    bounds: Bounds = BOUNDS


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Confines commands in one way."""

    kind: Kind
    bubblewrap: str = "bwrap"

    def confined(
        self, argv: Sequence[str], room: Room, cwd: Path
    ) -> tuple[Sequence[str], Confinement]:
        """Give the words that run `argv` in `cwd`, and the bounds that go with them."""
        bounds = Confinement(
            memory_bytes=room.bounds.memory_bytes,
            processes=room.bounds.processes,
            open_files=room.bounds.open_files,
            folders=tuple(map(str, room.writable)),
        )
        if self.kind is Kind.OPEN:
            return argv, bounds
        if self.kind is Kind.BUBBLEWRAP:
            sockets = Sockets.ALL if room.network else Sockets.LOCAL
            words = [self.bubblewrap, *_namespaces(room), *_files(room), "--chdir", str(cwd)]
            words += ["--seccomp", FILTER, "--", *argv]
            return words, replace(bounds, seccomp=program(sockets))
        sockets = Sockets.LOCAL if room.local_sockets else Sockets.NONE
        return argv, replace(
            bounds,
            seccomp=program(Sockets.NETWORK if room.network else sockets, one_group=True),
            landlock=True,
            readable=(*view.SYSTEM, *view.PUBLIC, *room.tools, *room.readable),
            writable=tuple(map(str, room.writable)),
            devices=view.DEVICES,
        )


def _namespaces(room: Room) -> list[str]:
    words = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--disable-userns", "--cap-drop", "ALL"]
    words += ["--die-with-parent", "--hostname", "generator"]
    return words if room.network else [*words, "--unshare-net"]


def _files(room: Room) -> list[str]:
    """Build the tree from nothing: links stay links, and nothing is there that is not named."""
    words = ["--proc", "/proc", "--dev", "/dev"]
    for place in ("/dev/shm", "/tmp"):  # noqa: S108 -- both are new and private in there
        words += ["--size", str(room.bounds.temporary_bytes), "--tmpfs", place]
    for name in view.SYSTEM:
        if os.path.islink(name):  # noqa: PTH114 -- as /bin on a merged-usr system
            words += ["--symlink", os.readlink(name), name]  # noqa: PTH115 -- the same
        elif os.path.isdir(name):  # noqa: PTH112 -- the same
            words += ["--ro-bind", name, name]
    for name in (*view.PUBLIC, *room.tools, *room.readable):
        words += ["--ro-bind-try", name, name]
    for folder in room.writable:
        words += ["--bind", str(folder), str(folder)]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/"]


def find_bubblewrap(path: str) -> str | None:
    """Give bubblewrap's full name; None where it is not installed."""
    if sys.platform != "linux":
        return None
    return shutil.which("bwrap", path=f"{path}{os.pathsep}/usr/bin{os.pathsep}/bin")
