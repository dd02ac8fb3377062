"""What is made of a target: which way, in which order, and which failure counts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from flux_secret.errors import (
    BugError,
    DecryptError,
    FluxSecretError,
    GenerateError,
    ManifestError,
)
from flux_secret.generate.generator import Generator
from flux_secret.generate.masking import MAX_SHOWN
from flux_secret.model.delivery import Remark
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Manifests
from flux_secret.model.target import Generation, Source, Target
from simulators.opener import SimulatedOpener
from simulators.store_reader import SimulatedReader
from simulators.workshop import Checkout, FakeWorkshop, Printed, repository

TWO = "version: 1\ncommandUpdated: {generators: [{command: one}, {command: two, timeout: 90s}]}\n"
VALUE = b"correct horse\n"


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


def target(*, enabled: bool = True) -> Target:
    generation = Generation(enabled, {"APPLICATIONSTORE": "apps"}, timeout_seconds=33.0)
    return Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", generation=generation)


async def generate(
    root: Path,
    workshop: FakeWorkshop,
    reader: SimulatedReader | None = None,
    *,
    directory: str = "demo",
    enabled: bool = True,
    remarks: list[Remark] | None = None,
) -> Manifests:
    checkout = Checkout(root, root / directory)
    generator = Generator(workshop.open, SimulatedOpener().opener())
    return await generator.generate(
        target(enabled=enabled),
        checkout,
        reader or SimulatedReader({"apps/demo": VALUE}),
        [] if remarks is None else remarks,
    )


def names(manifests: Manifests) -> list[str]:
    return [manifest.key.name for manifest in manifests.items]


async def test_commands_run_in_order_in_the_targets_directory_with_their_limits(
    tmp_path: Path,
) -> None:
    root = repository(tmp_path, {".flux.yaml": TWO, "demo/x": ""})
    workshop = FakeWorkshop(
        {"one": Printed(config_map("a") + "---\n"), "two": Printed(config_map("b"))}
    )
    found = await generate(root, workshop)
    assert names(found) == ["a", "b"]
    assert workshop.ran == [("one", root / "demo", 33.0), ("two", root / "demo", 90.0)]
    assert workshop.env == {"APPLICATIONSTORE": "apps"}
    assert workshop.closed
    assert str(found.items[1].origin) == ".flux.yaml: two, document 1, line 1"


async def test_the_first_command_that_fails_ends_it(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    workshop = FakeWorkshop({"one": Printed(code=3, complaint=b"no such thing\n")})
    with pytest.raises(GenerateError) as caught:
        await generate(root, workshop)
    assert caught.value.what == (
        'error executing generator command "one" from file "demo/.flux.yaml": exit status 3'
        "\nerror output:\nno such thing"
    )
    assert caught.value.remedy
    assert [command for command, *_ in workshop.ran] == ["one"]
    assert workshop.closed


@pytest.mark.parametrize(
    ("code", "says", "remedy"),
    [
        (126, "exit status 126", "make it executable"),
        (127, "exit status 127", "a program is missing"),
        (137, r"exit status 137 \(SIGKILL\)", "want of memory"),
        (143, r"exit status 143 \(SIGTERM\)", "by hand"),
        (199, "exit status 199, and it printed no error", "by hand"),
    ],
)
async def test_an_exit_status_is_explained(
    tmp_path: Path, code: int, says: str, remedy: str
) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    with pytest.raises(GenerateError, match=says) as caught:
        await generate(root, FakeWorkshop({"one": Printed(code=code)}))
    assert remedy in caught.value.remedy


REFUSING = [
    Printed(config_map("a"), asks=("apps/demo",)),  # exits 0 and looks well
    Printed(config_map("a"), asks=("apps/demo", "sync", "ls")),  # and goes on
    Printed(code=1, asks=("apps/demo",)),
    Printed(asks=("apps/demo",)),  # prints nothing
    Printed("text", asks=("apps/demo",)),
    Printed(asks=("apps/demo",), raises=GenerateError("did not end within 1 s")),
]


@pytest.mark.parametrize("printed", REFUSING, ids=range(len(REFUSING)))
async def test_a_refused_read_wins_over_whatever_the_command_does(
    tmp_path: Path, printed: Printed
) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    workshop = FakeWorkshop({"one": printed, "two": Printed(config_map("b"))})
    reader = SimulatedReader({}, damaged=["apps/demo"])
    with pytest.raises(DecryptError) as caught:
        await generate(root, workshop, reader)
    assert caught.value is reader.refusal
    assert [command for command, *_ in workshop.ran] == ["one"]


async def test_a_call_that_gopass_would_not_understand_poisons_too(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    workshop = FakeWorkshop({"one": Printed(config_map("a"), asks=("otp apps/demo",))})
    with pytest.raises(GenerateError, match="gopass otp is not for generators"):
        await generate(root, workshop)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", GenerateError, "printed no manifest, and exited 0"),
        ("---\n# nothing\n", GenerateError, "printed no manifest, and exited 0"),
        ("correct horse\n", ManifestError, "is text, not a Kubernetes object"),
        (config_map("a") + "---\n" + config_map("a"), ManifestError, "duplicate definition of"),
        ("a: 'correct horse\n", ManifestError, "document 1, line 2: "),
    ],
)
async def test_what_is_printed_must_be_manifests(
    tmp_path: Path, text: str, error: type[FluxSecretError], says: str
) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    workshop = FakeWorkshop({"one": Printed(text), "two": Printed(config_map("b"))})
    with pytest.raises(error, match=says) as caught:
        await generate(root, workshop)
    assert "correct horse" not in caught.value.what + caught.value.remedy


async def test_values_that_were_read_are_not_in_what_is_shown(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    complaint = b"+ echo correct horse | " + base64.b64encode(VALUE)
    workshop = FakeWorkshop({"one": Printed(code=1, complaint=complaint, asks=("apps/demo",))})
    with pytest.raises(GenerateError) as caught:
        await generate(root, workshop)
    assert caught.value.what.endswith("error output:\n+ echo *** | ***")


async def test_a_value_in_the_place_of_a_name_is_masked_in_the_error(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s3cr3t-v4lue, namespace: 5}\n"
    workshop = FakeWorkshop({"one": Printed(text, asks=("apps/demo",))})
    with pytest.raises(ManifestError, match=r"Secret \*\*\* in ") as caught:
        await generate(root, workshop, SimulatedReader({"apps/demo": b"s3cr3t-v4lue\n"}))
    assert "s3cr3t" not in caught.value.what


async def test_a_bug_is_not_taken_for_the_scripts_fault(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    with pytest.raises(BugError):
        await generate(root, FakeWorkshop({"one": Printed(raises=BugError("ours"))}))


async def test_without_a_flux_yaml_the_tree_is_read(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/a.yaml": config_map("a"), "other/b.yaml": config_map("b")})
    workshop = FakeWorkshop({})
    assert names(await generate(root, workshop)) == ["a"]
    assert not workshop.ran


async def test_scan_for_files_reads_the_tree_whatever_lies_above(tmp_path: Path) -> None:
    files = {
        ".flux.yaml": TWO,
        "demo/.flux.yaml": "version: 1\nscanForFiles: {}\n",
        "demo/a.yaml": config_map("a"),
    }
    assert names(await generate(repository(tmp_path, files), FakeWorkshop({}))) == ["a"]


async def test_a_target_that_is_the_flux_yaml_itself_means_its_folder(tmp_path: Path) -> None:
    files = {"demo/.flux.yaml": "version: 1\nscanForFiles: {}\n", "demo/a.yaml": config_map("a")}
    root = repository(tmp_path, files)
    found = await generate(root, FakeWorkshop({}), directory="demo/.flux.yaml")
    assert names(found) == ["a"]


async def test_a_file_below_a_flux_yaml_is_read_as_it_is(tmp_path: Path) -> None:
    root = repository(tmp_path, {".flux.yaml": TWO, "demo/a.yaml": config_map("a")})
    workshop = FakeWorkshop({})
    assert names(await generate(root, workshop, directory="demo/a.yaml")) == ["a"]
    assert not workshop.ran


async def test_scan_for_files_counts_for_every_target_below_it(tmp_path: Path) -> None:
    files = {
        ".flux.yaml": TWO,
        "demo/.flux.yaml": "version: 1\nscanForFiles: {}\n",
        "demo/a.yaml": config_map("a"),
        "demo/x/y/b.yaml": config_map("b"),
    }
    root = repository(tmp_path, files)
    assert names(await generate(root, FakeWorkshop({}), directory="demo/x")) == ["b"]


async def test_with_commands_no_file_of_the_target_is_read(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO, "demo/a.yaml": "{{ no YAML }}"})
    workshop = FakeWorkshop({"one": Printed(config_map("a")), "two": Printed(config_map("b"))})
    assert names(await generate(root, workshop)) == ["a", "b"]


async def test_commands_run_in_a_chart_too(tmp_path: Path) -> None:
    files = {"demo/.flux.yaml": TWO, "demo/Chart.yaml": "", "demo/values.yaml": ""}
    root = repository(tmp_path, files)
    workshop = FakeWorkshop({"one": Printed(config_map("a")), "two": Printed(config_map("b"))})
    assert names(await generate(root, workshop)) == ["a", "b"]


async def test_folders_below_a_target_are_not_searched_for_a_flux_yaml(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/x/.flux.yaml": TWO, "demo/x/a.yaml": config_map("a")})
    workshop = FakeWorkshop({})
    assert names(await generate(root, workshop)) == ["a"]
    assert not workshop.ran


async def test_without_manifest_generation_the_tree_is_read_always(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO, "demo/a.yaml": config_map("a")})
    assert names(await generate(root, FakeWorkshop({}), enabled=False)) == ["a"]


async def test_a_target_without_any_object_is_an_error(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/README": ""})
    with pytest.raises(ManifestError, match="target demo gave no object at all"):
        await generate(root, FakeWorkshop({}))


async def test_a_target_whose_commands_are_all_empty_is_an_error(tmp_path: Path) -> None:
    text = "version: 1\ncommandUpdated: {generators: [{command: ''}]}\n"
    root = repository(tmp_path, {"demo/.flux.yaml": text})
    with pytest.raises(ManifestError, match="target demo gave no object at all"):
        await generate(root, FakeWorkshop({}))


async def test_what_the_flux_yaml_leaves_to_remark_is_known_also_when_a_command_fails(
    tmp_path: Path,
) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": f"{TWO}extra: 1\n"})
    remarks: list[Remark] = []
    with pytest.raises(GenerateError):
        await generate(root, FakeWorkshop({"one": Printed(code=1)}), remarks=remarks)
    assert [str(remark) for remark in remarks] == [
        "demo/.flux.yaml, line 3: 'extra' is none of its keys and counts for nothing"
    ]


async def test_what_a_command_that_succeeds_complains_of_is_remarked_and_masked(
    tmp_path: Path,
) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    complaint = b"\n++ echo corr\nWarning: \x1b[31mold\x1b[0m\ntried correct horse\n+ exit\n"
    workshop = FakeWorkshop(
        {
            "one": Printed(config_map("a"), complaint=complaint, asks=("apps/demo",)),
            "two": Printed(config_map("b"), complaint=b" \n+ set -x\n"),
        }
    )
    remarks: list[Remark] = []
    assert names(await generate(root, workshop, remarks=remarks)) == ["a", "b"]
    (remark,) = remarks
    assert remark.about == "`one`"
    assert remark.says == "Warning: \ufffd[31mold\ufffd[0m\ntried ***"
    assert str(remark) == "`one`:\n  Warning: \ufffd[31mold\ufffd[0m\n  tried ***"


async def test_what_a_command_complains_of_is_remarked_up_to_a_limit(tmp_path: Path) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    printed = Printed(config_map("a"), complaint=b"x" * 10_000 + b"\nthe end\n")
    workshop = FakeWorkshop({"one": printed, "two": Printed(config_map("b"))})
    remarks: list[Remark] = []
    await generate(root, workshop, remarks=remarks)
    assert len(remarks[0].says) == MAX_SHOWN
    assert remarks[0].says.endswith("\nthe end")


async def test_a_command_whose_read_was_refused_leaves_an_error_and_no_remark(
    tmp_path: Path,
) -> None:
    root = repository(tmp_path, {"demo/.flux.yaml": TWO})
    printed = Printed(config_map("a"), complaint=b"it went well\n", asks=("apps/demo",))
    remarks: list[Remark] = []
    reader = SimulatedReader({}, damaged=["apps/demo"])
    with pytest.raises(DecryptError):
        await generate(root, FakeWorkshop({"one": printed}), reader, remarks=remarks)
    assert remarks == []


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("demo/overlay", "demo/overlay/../../.flux.yaml"),
        ("demo", "demo/../.flux.yaml"),
        ("", ".flux.yaml"),
        (".flux.yaml", ".flux.yaml"),
    ],
)
async def test_a_generated_object_knows_its_flux_yaml_as_flux_names_it(
    tmp_path: Path, directory: str, name: str
) -> None:
    root = repository(tmp_path, {".flux.yaml": TWO, "demo/overlay/x": ""})
    workshop = FakeWorkshop({"one": Printed(config_map("a")), "two": Printed(config_map("b"))})
    found = await generate(root, workshop, directory=directory)
    assert {one.origin.config for one in found.items} == {name}
    assert {cwd for _, cwd, _ in workshop.ran} == {root / directory.removesuffix(".flux.yaml")}


async def test_patch_updated_without_patches_only_sorts(tmp_path: Path) -> None:
    text = "version: 1\npatchUpdated: {generators: [{command: one}], patchFile: p.yaml}\n"
    root = repository(tmp_path, {"demo/.flux.yaml": text})
    two = "\n---\n".join(
        f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}" for kind in ("Service", "ConfigMap")
    )
    found = await generate(root, FakeWorkshop({"one": Printed(two)}))
    assert [one.key.kind for one in found.items] == ["ConfigMap", "Service"]
