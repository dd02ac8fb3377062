"""Programs are built once, by one run at a time, and a failure leaves nothing that looks built."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "tools" / "build.py"
SECONDS = 30.0
GO = """#!/bin/sh
# go build … -o OUTPUT PACKAGE
echo "$@" >> "$GO_CALLS"
while [ -e "$GO_GATE" ]; do sleep 0.02; done
while [ "$1" != -o ]; do shift; done
echo built > "$2"
exit "$GO_EXIT"
"""


@dataclass(frozen=True)
class Machine:
    """A machine with an empty cache, and a Go that only says that it built."""

    home: Path

    def start(self, *arguments: str, go_exit: int = 0) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, BUILD, *arguments],
            env={"PATH": f"{self.home / 'bin'}:/bin:/usr/bin", "XDG_CACHE_HOME": str(self.cache),
                 "GO_CALLS": str(self.home / "calls"), "GO_GATE": str(self.gate),
                 "GO_EXIT": str(go_exit)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @property
    def gate(self) -> Path:
        """While it is there, no build ends."""
        return self.home / "gate"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines()

    def kept(self) -> list[Path]:
        return [file for file in (self.cache / "flux-secret/tools").iterdir() if file.is_dir()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    return Machine(tmp_path)


def test_two_runs_at_once_build_once_and_give_the_same_place(machine: Machine) -> None:
    machine.gate.touch()
    runs = [machine.start("gopass"), machine.start("gopass")]
    first_lines = sorted(run.stderr.readline() for run in runs if run.stderr)
    machine.gate.unlink()
    answers = [run.communicate(timeout=SECONDS)[0] for run in runs]
    assert [line.split()[0] for line in first_lines] == ["building", "waiting:"]
    assert answers[0] == answers[1]
    assert (Path(answers[0].strip()) / "gopass").read_text() == "built\n"
    assert len(machine.calls()) == 1


def test_what_is_built_needs_no_go(machine: Machine) -> None:
    built, _ = machine.start("gopass").communicate(timeout=SECONDS)
    (machine.home / "bin" / "go").unlink()
    found, _ = machine.start("gopass").communicate(timeout=SECONDS)
    assert found == built != ""


def test_a_failed_build_leaves_nothing_behind(machine: Machine) -> None:
    run = machine.start("gopass", go_exit=1)
    answer, said = run.communicate(timeout=SECONDS)
    assert (run.returncode, answer, machine.kept()) == (1, "", [])
    assert "go build of github.com/gopasspw/gopass ended with exit code 1" in said


def test_without_go_one_sentence_says_what_to_install(machine: Machine) -> None:
    (machine.home / "bin" / "go").unlink()
    run = machine.start("cluster")
    _, said = run.communicate(timeout=SECONDS)
    assert run.returncode == 3
    assert said.startswith("tools/build.py: there is no Go to build kube-apiserver, ")
    assert said.endswith("install Go 1.25 or newer\n")


def test_the_api_server_is_built_first(machine: Machine) -> None:
    machine.start("all").communicate(timeout=SECONDS)
    names = [call.rpartition("/")[2] for call in machine.calls()]
    assert names == [
        "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "v3", "kwok",
        "gopass", "fluxctl", "sops",
    ]  # fmt: skip
