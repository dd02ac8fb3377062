"""Build the programs that tests run against: a real control plane, a real gopass, a real sops.

`python tools/build.py cluster|gopass|fluxctl|sops|all` builds what is missing and prints the
directories of the programs, one a line. What is built lies outside the clone, named by a hash of
what it is built from, so that a second run finds it:
`$XDG_CACHE_HOME/flux-secret/tools/NAME-HASH`. With nothing to build, no Go is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

HERE: Final = Path(__file__).resolve().parent
FAILED: Final = 1  # exit codes, as flux-secret's own
USAGE: Final = 2
CONFIGURATION: Final = 3
BUILD_SECONDS: Final = 3600.0  # for one program; kube-apiserver takes 7 minutes on two cores
KUBERNETES: Final = "v1.34.4"


class BuildError(RuntimeError):
    """A program could not be built."""

    exit_code = FAILED


class NoGoError(BuildError):
    """There is something to build and no Go."""

    exit_code = CONFIGURATION


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module of ours that pins programs of others."""

    folder: str
    programs: tuple[tuple[str, str], ...]
    """(file name, Go package), in the order in which they are built."""
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
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
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
FLUXCTL: Final = Module("fluxctl", (("fluxctl", "github.com/fluxcd/flux/cmd/fluxctl"),))
SOPS: Final = Module("sops", (("sops", "github.com/getsops/sops/v3/cmd/sops"),))
SETS: Final = {
    "cluster": CLUSTER,
    "gopass": (GOPASS,),
    "fluxctl": (FLUXCTL,),
    "sops": (SOPS,),
    "all": (*CLUSTER, GOPASS, FLUXCTL, SOPS),
}


def cache() -> Path:
    """Give the folder of everything that is built."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "flux-secret" / "tools"


def build(module: Module) -> Path:
    """Build a module's programs unless they are there; give their directory.

    Two runs at once wait for one another. A build that fails leaves nothing behind, and the next
    one sweeps up after one that was killed.
    """
    final = module.directory
    if final.is_dir():
        return final
    with _alone(final):
        if final.is_dir():
            return final
        go = shutil.which("go")
        if go is None:
            raise NoGoError(
                f"there is no Go to build {', '.join(name for name, _ in module.programs)} with: "
                "install Go 1.25 or newer"
            )
        for left in final.parent.glob(f".{final.name}-*"):
            shutil.rmtree(left)
        part = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
        try:
            for name, package in module.programs:
                print(f"building {name} (once; kept in {final})", file=sys.stderr, flush=True)
                _go_build(go, module, package, part / name)
            part.chmod(0o755)
            part.rename(final)  # the last step: a directory with this name is complete
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return final


@contextlib.contextmanager
def _alone(final: Path) -> Iterator[None]:
    final.parent.mkdir(parents=True, exist_ok=True)
    with final.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting: another run is building {final.name}", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _go_build(go: str, module: Module, package: str, output: Path) -> None:
    """Run `go build`; it and its compilers, one process group, end with us whatever happens."""
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", module.ldflags]
    with subprocess.Popen(
        [*command, "-o", str(output), package],
        cwd=HERE / module.folder,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # it speaks on stderr; our stdout is the answer
        start_new_session=True,
    ) as run:
        try:
            code = run.wait(BUILD_SECONDS)
        except BaseException:
            os.killpg(run.pid, signal.SIGKILL)
            raise
    if code:
        raise BuildError(f"go build of {package} ended with exit code {code}: see above")


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def main(arguments: list[str]) -> int:
    """Build the set that is named and print its directories."""
    if len(arguments) != 1 or arguments[0] not in SETS:
        print(f"usage: python tools/build.py {'|'.join(SETS)}", file=sys.stderr)
        return USAGE
    signal.signal(signal.SIGTERM, _end)  # so that what we started is ended as by Ctrl-C
    try:
        print(*[build(module) for module in SETS[arguments[0]]], sep="\n", flush=True)
    except BuildError as error:
        print(f"tools/build.py: {error}", file=sys.stderr)
        return error.exit_code
    except subprocess.TimeoutExpired as error:
        print(f"tools/build.py: {error.cmd[-1]}: not built in {error.timeout:g} s", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
