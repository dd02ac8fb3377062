"""The two ways to make the image say the same, and nothing that a registry could replace."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
RECIPE = (ROOT / "Containerfile").read_text()
IMAGE = ROOT / "deploy/image"


def test_the_base_has_no_default_so_it_is_always_named() -> None:
    assert re.search(r"^ARG BASE$", RECIPE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", RECIPE, re.MULTILINE)) == {"${BASE}"}


def test_the_image_sets_what_its_environment_file_says() -> None:
    lines = (IMAGE / "environment").read_text().splitlines()
    said = {line for line in lines if line and not line.startswith("#")}
    assert set(re.findall(r"FLUX_SECRET_[A-Z_]+=\S+", RECIPE)) == said


def test_it_is_not_root_and_starts_the_agent() -> None:
    final = RECIPE.rpartition("FROM ")[2]
    assert "\nUSER 65532:65532\n" in final
    assert '\nENTRYPOINT ["flux-secret", "agent"]\n' in final


def test_both_ways_take_the_same_packages_and_what_is_ours_from_one_place() -> None:
    script = (IMAGE / "rootfs.sh").read_text()
    for text in (RECIPE, script):
        assert "/packages" in text
        assert "finish.sh" in text
        assert "--require-hashes -r" in text
    assert "bubblewrap" not in (IMAGE / "packages").read_text(), "a pod may make no namespaces"
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    assert ignored[1] == "*", "nothing goes in that is not named"
