"""`.flux.yaml`: Flux v1's format; what crashed it is an error here (facts: flux-v1 §1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import FluxYamlError
from flux_secret.generate.flux_yaml import (
    MAX_BYTES,
    MAX_REMARKED,
    Command,
    CommandUpdated,
    Config,
    PatchUpdated,
    ScanForFiles,
    Updater,
    find,
    parse,
)

GOOD = "version: 1\ncommandUpdated:\n  generators:\n  - command: kustomize build .\n"
BUILD = CommandUpdated((Command("kustomize build ."),))


def read(text: str) -> Config:
    """Read a file that leaves nothing to remark."""
    config, remarks = parse(text.encode(), "x")
    assert remarks == ()
    return config


def remarked(text: str) -> tuple[Config, list[str]]:
    config, remarks = parse(text.encode(), "demo/.flux.yaml")
    return config, [str(remark) for remark in remarks]


def test_commands_and_their_timeouts_are_read() -> None:
    text = f"{GOOD}  - {{command: ./secrets.yaml.sh, timeout: 1m30s}}\n"
    assert read(text) == CommandUpdated(
        (Command("kustomize build ."), Command("./secrets.yaml.sh", 90.0))
    )


def test_a_version_of_1_point_0_counts_as_flux_has_it() -> None:
    assert read(GOOD.replace("1", "1.0", 1)) == BUILD


def test_updaters_are_accepted_and_checked() -> None:
    updaters = "  updaters:\n  - containerImage: {command: x}\n    other: 1\n"
    assert read(GOOD + updaters) == replace(BUILD, updaters=(Updater(Command("x")),))
    with pytest.raises(FluxYamlError, match="no field 'nope'"):
        parse((GOOD + updaters.replace("command: x", "nope: x")).encode(), "x")


def test_a_plain_scan_is_read() -> None:
    assert read("version: 1\nscanForFiles: {}\n") == ScanForFiles()


def test_what_flux_passed_over_is_passed_over_and_remarked() -> None:
    assert remarked(f"{GOOD}patchFile:\n  p.yaml\n\u00e9: 1\n") == (
        BUILD,
        [
            "demo/.flux.yaml, line 5: 'patchFile' is none of its keys and counts for nothing",
            "demo/.flux.yaml, line 7: '\\xe9' is none of its keys and counts for nothing",
        ],
    )


def test_many_keys_that_count_for_nothing_are_counted() -> None:
    extra = "".join(f"key{number}: 1\n" for number in range(MAX_REMARKED + 5))
    _, said = remarked(GOOD + extra)
    assert len(said) == MAX_REMARKED + 1
    assert said[-1] == "demo/.flux.yaml: 5 more such keys or commands count for nothing"


@pytest.mark.parametrize(
    "section",
    [
        "commandUpdated: {generators: [{command: a}]}",
        "commandUpdated:",
        "patchUpdated: {generators: [{command: a}], patchFile: p.yaml}",
    ],
)
def test_scan_for_files_counts_beside_commands(section: str) -> None:
    config, said = remarked(f"version: 1\n{section}\nscanForFiles: {{}}\n")
    name = section.partition(":")[0]
    assert config == ScanForFiles()
    assert said == [f"demo/.flux.yaml, line 3: scanForFiles counts, so no command of {name} runs"]


def test_a_scan_for_files_without_anything_counts_for_nothing_beside_commands() -> None:
    assert remarked(f"{GOOD}scanForFiles:\n") == (
        BUILD, ["demo/.flux.yaml, line 5: scanForFiles is empty (null) and counts for nothing"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        (f"---\n# nothing\n---\n{GOOD}", "another one, at line 8, counts for nothing"),
        ("---\n\t{{ no YAML }}\n", "the rest of it is no YAML"),
    ],
)
def test_only_the_first_document_counts(rest: str, says: str) -> None:
    config, (said,) = remarked(GOOD + rest)
    assert config == BUILD
    assert said.startswith("demo/.flux.yaml: only its first document counts")
    assert said.endswith(says)


def test_documents_without_content_after_the_first_are_not_worth_a_remark() -> None:
    assert read(f"# first\n---\n{GOOD}---\n# nothing\n---\n") == BUILD


def test_an_empty_command_runs_nothing() -> None:
    assert remarked(f"{GOOD}  - command: ' '\n") == (
        BUILD, ["demo/.flux.yaml, line 5: a command is empty and runs nothing"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "demo/.flux.yaml: it is empty"),
        (f"---\n---\n{GOOD}", "demo/.flux.yaml: its first document is empty"),
        ("version: 1\n", "has none of them"),
        (GOOD.replace("version: 1\n", ""), "has no version"),
        (GOOD.replace("1", "2", 1), "line 1: version must be the number 1"),
        (GOOD.replace("1", "'1'", 1), "version must be the number 1"),
        (f"{GOOD}patchUpdated: {{}}\n", "has commandUpdated and patchUpdated"),
        (f"{GOOD}scanForFiles: {{}}\npatchUpdated: {{}}\n", "has commandUpdated and patchUpdated"),
        ("version: 1\nscanForFiles: {}\nextra: 1\n", "line 3: the file has no field 'extra'"),
        ("version: 1\ncommandUpdatd: {}\n", "line 2: the file has no field 'commandUpdatd'"),
        ("version: 1\ncommandUpdated: {}\nscanForFiles: {}\n", "line 2: it has no generators"),
        ("version: 1\ncommandUpdated:\nscanForFiles: {a: b}\n", "scanForFiles has no field 'a'"),
        ("version: 1\ncommandUpdated:\n", r"line 2: commandUpdated is empty \(null\)"),
        ("version: 1\nscanForFiles:\n", r"line 2: scanForFiles is empty \(null\)"),
        ("version: 1\ncommandUpdated: {}\n", "has no generators"),
        ("version: 1\ncommandUpdated: {generators: []}\n", "generators is empty"),
        (
            "version: 1\ncommandUpdated: {generators: [{command: a, timeout: 5}]}\n",
            "write a duration",
        ),
        (
            "version: 1\ncommandUpdated: {generators: [{command: a, shell: b}]}\n",
            "no field 'shell'",
        ),
        ("version: 1\ncommandUpdated: {generators: [{timeout: 5s}]}\n", "no field 'command'"),
        ("version: 1\ncommandUpdated: {generators: [{command: 5}]}\n", "quote it"),
        ("version: 1\ncommandUpdated: {generators: [{command: }]}\n", "quote it"),
        ("version: 1\ncommandUpdated: {generators: [{command: [a]}]}\n", "a text is wanted"),
        ("version: 1\ncommandUpdated: {generators: [a]}\n", "a command is not a mapping"),
        ("version: 1\ncommandUpdated: {generators: {a: b}}\n", "generators is not a list"),
        ("version: 1\ncommandUpdated: {generators: }\n", "generators is not a list"),
        ("version: 1\nscanForFiles: {a: b}\n", "no field 'a'"),
        ("version: 1\nversion: 1\nscanForFiles: {}\n", "'version' stands twice"),
        ("version: 1\ncommandUpdated: {generators: [], generators: []}\n", "stands twice"),
        ("version: 1\n\xe9: \x01\n", "line 2"),
        ("- version: 1\n", "the file is not a mapping"),
        ("[" * 100_000, "more than 64 levels"),
        ("version: 1\npatchUpdated: {generators: [{command: a}], patchFile: ''}\n", "is empty"),
        ("version: 1\n\tscanForFiles: {}\n", "line 2"),
        ("version: 1\npatchUpdated: {generators: [{command: a}]}\n", "has no patchFile"),
    ],
)
def test_every_mistake_names_the_line_and_what_is_allowed(text: str, reason: str) -> None:
    with pytest.raises(FluxYamlError, match=reason):
        parse(text.encode(), "demo/.flux.yaml")


@given(st.binary(max_size=120))
def test_any_bytes_give_a_config_or_our_error(text: bytes) -> None:
    try:
        parse(text, "x")
    except FluxYamlError:
        return


def test_the_nearest_file_upwards_counts_up_to_the_root(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    (root / "demo" / "overlay" / "dev").mkdir(parents=True)
    (tmp_path / ".flux.yaml").write_text(GOOD)  # above the root: never looked at
    target = root / "demo" / "overlay" / "dev"
    assert find(root, target) is None
    (root / ".flux.yaml").write_text("version: 1\nscanForFiles: {}\n")
    found = find(root, target)
    assert found is not None
    assert (found.source, found.work_directory) == (".flux.yaml", target)
    (root / "demo" / ".flux.yaml").write_text(GOOD)
    nearer = find(root, target)
    assert nearer is not None
    assert (nearer.source, nearer.work_directory) == ("demo/.flux.yaml", target)


def test_a_target_may_be_the_file_itself_or_a_raw_file(tmp_path: Path) -> None:
    (tmp_path / ".flux.yaml").write_text(GOOD)
    (tmp_path / "raw.yaml").write_text("")
    found = find(tmp_path, tmp_path / ".flux.yaml")
    assert found is not None
    assert found.work_directory == tmp_path
    assert find(tmp_path, tmp_path / "raw.yaml") is None


def test_the_walkthroughs_own_file_is_read() -> None:
    vectors = Path(__file__).parents[2] / "vectors" / "walkthrough"
    assert read((vectors / "flux.yaml").read_text()) == CommandUpdated(
        (Command("kustomize build ."), Command("./secrets.yaml.sh"))
    )


def test_every_violation_is_named_with_its_line() -> None:
    text = """version: "1"
commandUpdated:
  generators:
  - command: 5
  - timeout: 5
  - command: a
    timeout: bogus
  extra: 1
"""
    with pytest.raises(FluxYamlError) as caught:
        parse(text.encode(), "demo/.flux.yaml")
    lines = caught.value.what.splitlines()
    assert lines[0] == "demo/.flux.yaml: config file is not valid:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "line 1", "line 4", "line 5", "line 7", "line 8"
    ]  # fmt: skip
    assert "quote" not in lines[1]
    assert "version must be the number 1" in lines[1]
    assert "quote it" in lines[2]
    assert "has no field 'command'" in lines[3]
    assert "write a duration" in lines[4]
    assert "has no field 'extra'" in lines[5]


def test_a_patch_is_read_into_its_type() -> None:
    text = "version: 1\npatchUpdated: {generators: [{command: a}], patchFile: p.yaml}\n"
    assert read(text) == PatchUpdated((Command("a"),), "p.yaml")


def test_json_is_yaml_too() -> None:
    text = '{"version": 1, "commandUpdated": {"generators": [{"command": "a"}]}}'
    assert read(text) == CommandUpdated((Command("a"),))


def test_a_timeout_below_a_second_counts_as_none_as_in_flux() -> None:
    text = "version: 1\ncommandUpdated: {generators: [{command: a, timeout: 900ms}]}\n"
    assert read(text) == CommandUpdated((Command("a", None),))


def test_every_error_says_what_to_write() -> None:
    with pytest.raises(FluxYamlError) as caught:
        parse(b"version: 1\n", "demo/.flux.yaml")
    assert caught.value.what.startswith("demo/.flux.yaml: line 1: ")
    assert "commandUpdated" in caught.value.remedy
    assert caught.value.exit_code == 3


def test_a_link_to_nothing_is_no_reason_to_look_higher(tmp_path: Path) -> None:
    (tmp_path / ".flux.yaml").write_text(GOOD)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".flux.yaml").symlink_to("gone")
    with pytest.raises(FluxYamlError, match=r"demo/\.flux\.yaml is a link to nothing"):
        find(tmp_path, tmp_path / "demo")


def test_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    (tmp_path / "other.yaml").write_text(GOOD)
    (root / ".flux.yaml").symlink_to("../other.yaml")
    with pytest.raises(FluxYamlError, match="out of the repository"):
        find(root, root)


def test_a_link_inside_the_repository_is_followed(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(GOOD)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".flux.yaml").symlink_to("../shared.yaml")
    found = find(tmp_path, tmp_path / "demo")
    assert found is not None
    assert found.work_directory == tmp_path / "demo"


def test_a_folder_of_that_name_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".flux.yaml").mkdir()
    with pytest.raises(FluxYamlError, match="is not a file"):
        find(tmp_path, tmp_path)
    (tmp_path / ".flux.yaml").rmdir()
    (tmp_path / ".flux.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(FluxYamlError, match="larger than 1048576 bytes"):
        find(tmp_path, tmp_path)
