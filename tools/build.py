"""Build the programs that tests run against: a real control plane and a real gopass.

`python tools/build.py cluster|gopass|all` builds what is missing and prints the directories of the
programs, one a line. What is built lies outside the clone, named by a hash of what it is built
from, so that a second run finds it: `$XDG_CACHE_HOME/flux-secret/tools/NAME-HASH`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
CONFIGURATION: Final = 3  # exit code, as flux-secret's own
BUILD_SECONDS: Final = 3600.0
KUBERNETES: Final = "v1.34.4"


@dataclass(frozen=True)
class Module:
    """A Go module of ours that pins programs of others."""

    folder: str
    programs: tuple[tuple[str, str], ...]
    """(file name, Go package)."""
    ldflags: str = "-s -w"

    @property
    def directory(self) -> Path:
        """Where the programs lie once they are built."""
        digest = hashlib.sha256(f"{self.programs}{self.ldflags}".encode())
        for file in sorted((HERE / self.folder).rglob("*")):
            if file.is_file():
                digest.update(str(file.relative_to(HERE)).encode() + b"\0" + file.read_bytes())
        name = self.folder.replace("/", "-")
        return cache() / f"{name}-{digest.hexdigest()[:16]}"


_VERSION = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES}"
CLUSTER: Final = (
    Module(
        "cluster/kubernetes",
        tuple(
            (name, f"k8s.io/kubernetes/cmd/{name}")
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        ),
        f"-s -w {_VERSION} -X k8s.io/component-base/version.gitMajor=1 "
        "-X k8s.io/component-base/version.gitMinor=34",
    ),
    Module("cluster/etcd", (("etcd", "go.etcd.io/etcd/server/v3"),)),
    Module("cluster/kwok", (("kwok", "sigs.k8s.io/kwok/cmd/kwok"),)),
)
GOPASS: Final = Module(
    "gopass", (("gopass", "github.com/gopasspw/gopass"),), "-s -w -X main.version=1.16.1"
)
SETS: Final = {"cluster": CLUSTER, "gopass": (GOPASS,), "all": (*CLUSTER, GOPASS)}


def cache() -> Path:
    """Give the folder of everything that is built."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "flux-secret" / "tools"


def build(module: Module) -> Path:
    """Build a module's programs unless they are there; give their directory.

    Two runs at once wait for one another; a build that fails or is killed leaves nothing behind.
    """
    final = module.directory
    final.parent.mkdir(parents=True, exist_ok=True)
    with final.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.is_dir():
            return final
        go = shutil.which("go")
        if go is None:
            sys.exit(_no_go())
        part = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
        try:
            for name, package in module.programs:
                print(f"building {name} (once; kept in {final.parent})", file=sys.stderr)
                subprocess.run(
                    [go, "build", "-mod=readonly", "-trimpath", "-ldflags", module.ldflags,
                     "-o", str(part / name), package],
                    cwd=HERE / module.folder, env={**os.environ, "CGO_ENABLED": "0"},
                    stdin=subprocess.DEVNULL, check=True, timeout=BUILD_SECONDS,
                )  # fmt: skip
            part.chmod(0o755)
            part.rename(final)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return final


def _no_go() -> int:
    print("there is no Go: install Go 1.24 or newer to build the test programs", file=sys.stderr)
    return CONFIGURATION


def main(arguments: list[str]) -> int:
    """Build the set that is named and print its directories."""
    if len(arguments) != 1 or arguments[0] not in SETS:
        print(f"usage: python tools/build.py {'|'.join(SETS)}", file=sys.stderr)
        return 2
    try:
        for module in SETS[arguments[0]]:
            print(build(module))
    except subprocess.CalledProcessError as error:
        print(f"go build failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
