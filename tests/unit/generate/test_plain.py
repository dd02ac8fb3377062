"""A tree of YAML files, as Flux v1 walks it, but strict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flux_secret.errors import ManifestError
from flux_secret.generate import plain


def write(root: Path, *names: str) -> None:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        label = name.replace("/", ".")
        file.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {label}}}\n")


def names(root: Path, target: Path | None = None) -> list[str]:
    return [manifest.key.name for manifest in asyncio.run(plain.load(root, target or root))]


def test_files_come_in_lexical_order_hidden_folders_too(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "a/z.yml", ".hidden/c.yaml", "a.yaml")
    assert names(tmp_path) == [".hidden.c.yaml", "a.z.yml", "a.yaml", "b.yaml"]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    (tmp_path / "x.json").write_text("{")
    (tmp_path / "notes.md").write_bytes(b"\xff")
    (tmp_path / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (tmp_path / ".flux.yaml").write_text("version: 1\nscanForFiles: {}\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("{")
    assert names(tmp_path) == ["a.yaml"]


def test_a_document_without_kind_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nKind: ConfigMap\nmetadata: {name: b}\n")
    with pytest.raises(ManifestError, match=r"b\.yaml, document 1, line 1 has no kind"):
        names(tmp_path)


def test_charts_are_left_out_also_when_the_target_lies_in_one(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "chart/Chart.yaml", "chart/values.yaml", "chart/templates/x.yaml")
    assert names(tmp_path) == ["a.yaml"]
    assert names(tmp_path, tmp_path / "chart" / "templates") == []


def test_a_target_may_be_one_file(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "b.yaml")
    assert names(tmp_path, tmp_path / "b.yaml") == ["b.yaml"]


def test_a_target_that_is_one_file_may_have_any_ending(tmp_path: Path) -> None:
    write(tmp_path, "a.json", "b.yaml")
    assert names(tmp_path, tmp_path / "a.json") == ["a.json"]


def test_a_chart_is_left_out_with_all_that_is_below_and_a_half_one_is_none(tmp_path: Path) -> None:
    write(tmp_path, "c/Chart.yaml", "c/values.yaml", "c/charts/sub/x.yaml", "half/Chart.yaml")
    assert names(tmp_path) == ["half.Chart.yaml"]
    assert names(tmp_path, tmp_path / "c") == []
    assert names(tmp_path, tmp_path / "c" / "charts" / "sub") == []


def test_a_link_to_a_folder_above_leads_nowhere(tmp_path: Path) -> None:
    write(tmp_path, "demo/a.yaml")
    (tmp_path / "demo" / "loop.yaml").symlink_to("..")
    (tmp_path / "demo" / "deeper").mkdir()
    (tmp_path / "demo" / "deeper" / "loop").symlink_to("../../demo")
    assert names(tmp_path, tmp_path / "demo") == ["demo.a.yaml"]


def test_a_link_by_another_name_and_over_links_is_followed(tmp_path: Path) -> None:
    write(tmp_path, "shared/one.txt", "demo/a.yaml")
    (tmp_path / "demo" / "z.yaml").symlink_to("../linked")
    (tmp_path / "linked").symlink_to("shared/one.txt")
    assert names(tmp_path, tmp_path / "demo") == ["demo.a.yaml", "shared.one.txt"]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    write(tmp_path, "shared/one.yaml", "demo/a.yaml")
    (tmp_path / "demo" / "linked.yaml").symlink_to("../shared/one.yaml")
    (tmp_path / "demo" / "folder").symlink_to("../shared")
    assert names(tmp_path, tmp_path / "demo") == ["demo.a.yaml", "shared.one.yaml"]


def test_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    write(tmp_path, "outside.yaml", "repo/a.yaml")
    (root / "z.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(ManifestError, match=r"z\.yaml is a link out of the repository"):
        names(root)


def test_links_to_nothing_and_in_a_circle_are_named(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    with pytest.raises(ManifestError, match=r"gone\.yaml is a link to nothing"):
        names(tmp_path)
    (tmp_path / "gone.yaml").unlink()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ManifestError, match=r"loop\.yaml is a link to nothing"):
        names(tmp_path)


def test_sizes_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.yaml", "b.yaml")
    monkeypatch.setattr(plain, "MAX_TREE", 80)
    with pytest.raises(ManifestError, match="more than 80 bytes"):
        names(tmp_path)
    monkeypatch.setattr(plain, "MAX_FILE", 10)
    with pytest.raises(ManifestError, match=r"a\.yaml is larger than 10 bytes"):
        names(tmp_path)


def test_a_name_that_is_no_text_can_be_reported(tmp_path: Path) -> None:
    (tmp_path / "\udcff.yaml").write_text("{")
    with pytest.raises(ManifestError) as caught:
        names(tmp_path)
    caught.value.what.encode()
