"""`flux-secret demo` as a new user runs it: no HOME, no kubeconfig, no key of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 110.0


def demo(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flux_secret", "demo", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, cwd=tmp_path,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def place_of(output: str) -> Path:
    found = re.search(r"everything is in (\S+?),", output)
    assert found is not None, output
    return Path(found[1])


def processes_of(place: Path) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(place).encode() in file.read_bytes():
                found.append(file.parent.name)
        except OSError:
            continue
    return found


def test_the_whole_walkthrough_is_played_and_nothing_is_left(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        r"^└── 0x[0-9A-F]{16} - flux-operator <flux@example\.org>$",
        r"^secret/demo-secret created$",
        r"^demo-secret +Opaque +1 +\d+s$",
        r"^service/demo-service +ClusterIP ",
        r"^secret/demo-secret configured$",
        r"^demosecret: \*\*\* \(before\) → \*\*\* \(after\), resourceVersion \d+ → \d+$",
        r"^the Secret still holds the last good value, resourceVersion \d+, unwritten$",
        r"^secret/demo-secret deleted$",
        r"^\S+ +read +apps/demo +agent-",
        r"^\S+ +refused +apps/demo +agent-.* cannot be decrypted",
        r"^\S+ +pruned +secret/demo-secret in dev-demo +agent-",
        r"^agent-[0-9a-f]{12} .* to \d+ +whole$",
        r"^the record is whole$",
    ):
        assert re.search(line, done.stdout, re.MULTILINE), (line, done.stdout)
    assert "apps/demo at " in done.stderr
    assert re.search(r"^missing: \S+: record \d+ is missing before", done.stderr, re.MULTILINE)
    for value in ("correct horse battery staple", "rotated by devops person2"):
        assert value not in done.stdout + done.stderr
    place = place_of(done.stdout)
    assert not place.exists()
    assert processes_of(place) == []
    assert list(tmp_path.iterdir()) == []


def test_kept_it_can_be_looked_at_with_kubectl(tmp_path: Path) -> None:
    done = demo(tmp_path, "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    place = place_of(done.stdout)
    server = re.search(r"runs as process (\d+)", done.stdout)
    assert server is not None
    try:
        shown = subprocess.run(
            ["kubectl", "get", "secret", "demo-secret", "-n", "dev-demo", "-o", "name"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path),
                 "KUBECONFIG": str(place / "kubeconfig")},
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert shown.stdout == "secret/demo-secret\n", shown.stderr
    finally:
        os.kill(int(server[1]), signal.SIGTERM)
        subprocess.run(["rm", "-r", str(place)], check=True)


@pytest.mark.parametrize("missing", ["gpg", "git"])
def test_a_missing_tool_is_named(tmp_path: Path, missing: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("gpg", "git", "gpg-agent", "gpgconf", "sh"):
        found = next(
            (Path(part) / name for part in os.environ["PATH"].split(":")
             if (Path(part) / name).exists()), None,
        )  # fmt: skip
        if name != missing and found is not None:
            (tools / name).symlink_to(found)
    done = subprocess.run(
        [sys.executable, "-m", "flux_secret", "demo"],
        env={"PATH": str(tools), "HOME": str(tmp_path)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert f"'{missing}' is not there" in done.stderr
    assert "Traceback" not in done.stderr
