"""The real bash takes the script, and completes with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flux_secret.cli.completion import SHELLS

PROGRAM = Path(sys.executable).parent
ASK = """
set -euo pipefail
eval "$(flux-secret completion bash)"
COMP_WORDS=({words})
COMP_CWORD={last}
{function} flux-secret
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def bash(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("bash")
    assert found is not None
    return subprocess.run(
        [found, "--noprofile", "--norc", "-c", script], capture_output=True, text=True, timeout=60,
        check=False, env={"PATH": f"{PROGRAM}:{os.defpath}", "HOME": str(home)},
    )  # fmt: skip


def completed(home: Path, *words: str) -> set[str]:
    listed = " ".join(f"'{word}'" for word in ("flux-secret", *words))
    script = ASK.format(words=listed, last=len(words), function="_flux_secret_completion")
    done = bash(script, home)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sus"], {"suspend"}),
        (["st"], {"status", "store"}),
        (["store", "sh"], {"show"}),
        (["suspend", "--a"], {"--all", "--all-namespaces", "--agent"}),
        (["status", "-o", "y"], {"yaml"}),
        (["completion", ""], set(SHELLS)),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], found: set[str]) -> None:
    assert completed(tmp_path, *words) == found


def test_bash_knows_the_program_by_its_name(tmp_path: Path) -> None:
    done = bash('eval "$(flux-secret completion bash)"; complete -p flux-secret', tmp_path)
    assert done.returncode == 0, done.stderr
    assert "_flux_secret_completion" in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_asks_the_program_in_its_own_way(tmp_path: Path, shell: str) -> None:
    done = bash(f"flux-secret completion {shell}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"_FLUX_SECRET_COMPLETE={shell}_complete" in done.stdout


def test_another_shell_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    done = bash("flux-secret completion tcsh", tmp_path)
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
