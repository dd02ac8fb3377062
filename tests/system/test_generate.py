"""Real scripts in a real shell: the walkthrough's own, and everything a script can do wrong."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux_secret.errors import (
    DecryptError,
    EntryNotFoundError,
    FluxSecretError,
    GenerateError,
    ManifestError,
)
from flux_secret.generate.generator import Generator
from flux_secret.model.bounds import BOUNDS, Bounds
from flux_secret.model.delivery import Remark
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Manifests
from flux_secret.model.names import SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Generation, Source, Target
from flux_secret.outside.sandbox.probe import find_sandbox
from flux_secret.outside.supervision.supervisors import Supervisors
from flux_secret.outside.workshop import Workshops
from simulators.opener import SimulatedOpener

VECTORS = Path(__file__).parents[1] / "vectors" / "walkthrough"
SCRIPT = (VECTORS / "secrets.yaml.sh").read_text()
VALUE = b"correct horse battery staple\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@dataclass
class Reader:
    """A store in a dict; a value that is an error is raised."""

    entries_: Mapping[str, bytes | FluxSecretError]
    refusal: FluxSecretError | None = None
    handed_out: list[tuple[Lookup, Plaintext]] = field(default_factory=list)

    async def read(self, lookup: Lookup, reason: str = "") -> Plaintext:
        del reason
        found = self.entries_.get(str(lookup), EntryNotFoundError(f"no entry {lookup}"))
        if isinstance(found, FluxSecretError):
            self.refusal = self.refusal or found
            raise found
        value = Plaintext(found)
        self.handed_out.append((lookup, value))
        return value

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        return [SecretPath.parse(name) for name in self.entries_ if name.startswith(prefix)]


@dataclass(frozen=True)
class Checkout:
    root: Path
    directory: Path
    commit: str = "a" * 40


def flux_yaml(*commands: str) -> str:
    lines = "".join(f"    - command: {command}\n" for command in commands)
    return f"version: 1\ncommandUpdated:\n  generators:\n{lines}"


async def generate(
    place: Path,
    files: Mapping[str, str],
    reader: Reader,
    *,
    path: str | None = None,
    timeout_seconds: float = 20.0,
    bounds: Bounds = BOUNDS,
    remarks: list[Remark] | None = None,
) -> Manifests:
    for name, text in files.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    generation = Generation(env={"APPLICATIONSTORE": "apps"}, timeout_seconds=timeout_seconds)
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", generation=generation)
    remarks = [] if remarks is None else remarks
    checkout = Checkout(place, place)
    async with Supervisors() as supervisors:
        sandbox = await find_sandbox(os.environ["PATH"], supervisors)
        tools = path or os.environ["PATH"]
        workshops = Workshops(tools, sandbox, supervisors, bounds)
        return await Generator(workshops.open, SimulatedOpener().opener()).generate(
            target, checkout, reader, remarks
        )


def shell_path(place: Path, shell: str) -> str:
    """Make `sh` on PATH another shell: a script without a shebang is run by it."""
    folder = place / "shell"
    folder.mkdir()
    found = shutil.which(shell)
    assert found, f"{shell} is needed by the tests"
    (folder / "sh").symlink_to(found)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("ending", ["EOL\n", ""], ids=["here-document-ends", "it-does-not"])
async def test_the_walkthroughs_script_runs_as_printed(
    tmp_path: Path, shell: str, ending: str
) -> None:
    files = {".flux.yaml": flux_yaml("sh ./secrets.yaml.sh"), "secrets.yaml.sh": SCRIPT + ending}
    reader = Reader({"apps/demo": VALUE})
    found = await generate(tmp_path, files, reader, path=shell_path(tmp_path, shell))
    (manifest,) = found.items
    assert (manifest.key.namespace, manifest.key.name) == ("dev-demo", "demo-secret")
    data = manifest.body["data"]
    assert isinstance(data, Mapping)
    value = data["demosecret"]
    assert isinstance(value, Plaintext)
    assert base64.b64decode(value.reveal()) == VALUE


async def test_without_a_shebang_it_runs_under_bin_sh(tmp_path: Path) -> None:
    files = {".flux.yaml": flux_yaml("./secrets.yaml.sh"), "secrets.yaml.sh": SCRIPT + "EOL\n"}
    found = await generate(tmp_path, files, Reader({"apps/demo": VALUE}))
    assert found.items[0].key.name == "demo-secret"


async def test_a_failed_read_wins_although_the_script_exits_0(tmp_path: Path) -> None:
    damaged = DecryptError("apps/demo is damaged")
    files = {".flux.yaml": flux_yaml("./secrets.yaml.sh"), "secrets.yaml.sh": SCRIPT + "EOL\n"}
    with pytest.raises(DecryptError) as caught:
        await generate(tmp_path, files, Reader({"apps/demo": damaged}))
    assert caught.value is damaged


async def test_a_failed_read_that_the_script_swallows_wins_too(tmp_path: Path) -> None:
    command = f"'gopass apps/none 2>/dev/null || true; printf \"{MAP}\"'".replace("\n", "\\n")
    with pytest.raises(EntryNotFoundError):
        await generate(tmp_path, {".flux.yaml": flux_yaml(command)}, Reader({}))


async def test_a_call_that_only_people_may_make_poisons_too(tmp_path: Path) -> None:
    command = f"'gopass insert apps/x || true; printf \"{MAP}\"'".replace("\n", "\\n")
    with pytest.raises(GenerateError, match="gopass insert is not for generators"):
        await generate(tmp_path, {".flux.yaml": flux_yaml(command)}, Reader({}))


async def test_several_calls_in_a_pipeline_do_not_meet(tmp_path: Path) -> None:
    entries = {f"apps/e{n}": f"value-{n}-{'x' * 100_000}\n".encode() for n in range(8)}
    script = (
        "for n in 0 1 2 3 4 5 6 7; do (gopass apps/e$n > out.$n) & done; wait\n"
        "gopass apps/e1 | (gopass apps/e2 >/dev/null; cat) | cut -c1-7 > piped\n"
        f"cat <<X\n{MAP}data:\n"
        "  piped: $(cat piped)\n"
        "$(for n in 0 1 2 3 4 5 6 7; do echo \"  s$n: '$(wc -c < out.$n)'\"; done)\nX\n"
    )
    files = {".flux.yaml": flux_yaml("sh ./run.sh"), "run.sh": script}
    found = await generate(tmp_path, files, Reader(entries))
    data = found.items[0].body["data"]
    assert isinstance(data, Mapping)
    assert data["piped"] == "value-1"
    sizes = {str(data[f"s{n}"]).strip() for n in range(8)}
    assert sizes == {str(len(entries["apps/e0"]))}


@pytest.mark.parametrize(
    ("call", "printed", "code"),
    [
        ("gopass apps/demo", "pw", 0),
        ("gopass ls --flat apps", "apps/demo\\napps/with space", 0),
        ("gopass sync", "", 0),
        ("gopass 'apps/with space'", "spaced", 0),
    ],
)
async def test_calls_print_and_exit_as_gopass_does(
    tmp_path: Path, call: str, printed: str, code: int
) -> None:
    flat = MAP.replace("\n", "\\n") + 'data: {code: "%s", out: "%s"}\\n'
    script = f"{call} > out; code=$?\nprintf '{flat}' \"$code\" \"$(tr '\\n' '|' < out)\"\n"
    entries = {"apps/demo": b"pw\n", "apps/with space": b"spaced"}
    files = {".flux.yaml": flux_yaml("sh ./run.sh"), "run.sh": script}
    found = await generate(tmp_path, files, Reader(entries))
    data = found.items[0].body["data"]
    assert isinstance(data, Mapping)
    assert (data["code"], str(data["out"]).strip("|")) == (str(code), printed.replace("\\n", "|"))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 3", "exit status 3, and it printed no error"),
        ("'echo oh no >&2; exit 1'", "exit status 1\nerror output:\noh no"),
        ("'true'", "it printed no manifest, and exited 0"),
        ("'kustomize build nowhere | cat'", "it printed no manifest"),
        ("sleep 60", "did not end within 1 s"),
        ("'yes'", "printed more than 1 MiB"),
        ("'yes >&2'", "printed more than 1 MiB"),
        ("no-such-program", "exit status 127"),
    ],
)
async def test_a_command_that_goes_wrong_says_so_in_flux_words(
    tmp_path: Path, command: str, reason: str
) -> None:
    with pytest.raises(GenerateError) as caught:
        await generate(
            tmp_path, {".flux.yaml": flux_yaml(command)}, Reader({}),
            timeout_seconds=1.0 if "did not end" in reason else 60.0,
            bounds=Bounds(output_bytes=1024 * 1024),
        )  # fmt: skip
    assert reason in caught.value.what
    if "printed no manifest" not in reason:
        assert caught.value.what.startswith("error executing generator command")


async def test_text_that_is_no_manifest_is_refused_without_quoting_it(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is text") as caught:
        await generate(tmp_path, {".flux.yaml": flux_yaml("echo hunter2")}, Reader({}))
    assert "hunter2" not in caught.value.what.replace("echo hunter2", "")


async def test_values_in_error_output_are_masked(tmp_path: Path) -> None:
    command = "'v=$(gopass apps/demo); echo \"bad $v\" >&2; echo $v | base64 >&2; exit 1'"
    with pytest.raises(GenerateError) as caught:
        await generate(tmp_path, {".flux.yaml": flux_yaml(command)}, Reader({"apps/demo": VALUE}))
    assert "correct horse" not in caught.value.what
    assert base64.b64encode(VALUE).decode() not in caught.value.what
    assert "bad ***" in caught.value.what


async def test_what_kustomize_warns_of_is_remarked(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "kustomization.yaml").write_text("resources: [map.yaml]\n")
    (base / "map.yaml").write_text(MAP)
    files = {
        ".flux.yaml": flux_yaml("kustomize build ."),
        "kustomization.yaml": "bases: [base]\n",
    }
    remarks: list[Remark] = []
    await generate(tmp_path, files, Reader({}), remarks=remarks)
    (remark,) = remarks
    assert remark.about == "`kustomize build .`"
    assert "'bases' is deprecated" in remark.says


def processes(marker: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in words:
            found.append(file.parent.name)
    return found


@pytest.mark.parametrize(
    "start",
    [
        "sleep {n} &",
        "setsid sleep {n} &",
        "(setsid sh -c 'sleep {n} & sleep {n}' &)",
        "setsid sh -c 'trap \"\" TERM HUP; sleep {n}' </dev/null >/dev/null 2>&1 &",
    ],
)
async def test_nothing_that_a_command_started_outlives_it(tmp_path: Path, start: str) -> None:
    marker = f"{30000 + os.getpid() % 20000}"
    script = f"{start.format(n=marker)}\ncat <<X\n{MAP}X\n"
    files = {".flux.yaml": flux_yaml("sh ./run.sh"), "run.sh": script}
    async with asyncio.timeout(10):
        found = await generate(tmp_path, files, Reader({}))
    assert found.items
    assert processes(marker) == []


async def test_nothing_outlives_a_command_that_hangs(tmp_path: Path) -> None:
    marker = f"{50000 + os.getpid() % 9000}"
    script = f"setsid sleep {marker} &\nsleep {marker}\n"
    files = {".flux.yaml": flux_yaml("sh ./run.sh"), "run.sh": script}
    with pytest.raises(GenerateError, match="did not end within 1 s"):
        await generate(tmp_path, files, Reader({}), timeout_seconds=1.0)
    assert processes(marker) == []


async def test_a_command_sees_only_the_environment_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTS_TOKEN", "hunter2")
    script = f"cat <<X\n{MAP}data:\n  names: \"$(env | cut -d= -f1 | sort | tr '\\n' ' ')\"\nX\n"
    files = {".flux.yaml": flux_yaml("sh ./run.sh"), "run.sh": script}
    found = await generate(tmp_path, files, Reader({}))
    data = found.items[0].body["data"]
    assert isinstance(data, Mapping)
    names = set(str(data["names"]).split()) - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names == {"APPLICATIONSTORE", "HOME", "LANG", "PATH", "TMPDIR"}


async def test_kustomize_builds_where_there_is_no_kustomize(tmp_path: Path) -> None:
    files = {
        ".flux.yaml": flux_yaml("kustomize build ."),
        "kustomization.yaml": "namespace: dev-demo\nresources: [map.yaml]\n",
        "map.yaml": MAP,
    }
    found = await generate(tmp_path, files, Reader({}))
    assert found.items[0].key.namespace == "dev-demo"


async def test_without_kubectl_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flux_secret.outside.kubectl._carried", lambda: None)
    files = {".flux.yaml": flux_yaml("kustomize build ."), "kustomization.yaml": ""}
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "sh", "env"):
        (tools / name).symlink_to(shutil.which(name) or "")
    with pytest.raises(GenerateError, match=r"flux-secret\[kubectl\]"):
        await generate(tmp_path, files, Reader({}), path=str(tools))


async def test_generators_run_in_order_and_share_the_directory(tmp_path: Path) -> None:
    files = {
        ".flux.yaml": flux_yaml("sh ./one.sh", "sh ./two.sh"),
        "one.sh": f"echo written > note\nprintf '%s---\\n' '{MAP}'\n",
        "two.sh": f"cat <<X\n{MAP.replace('name: a', 'name: b')}data: {{note: $(cat note)}}\nX\n",
    }
    found = await generate(tmp_path, files, Reader({}))
    assert [one.key.name for one in found.items] == ["a", "b"]
    assert found.items[1].body["data"] == {"note": "written"}


async def test_a_command_that_reads_its_standard_input_finds_nothing(tmp_path: Path) -> None:
    script = f'cat <<X\n{MAP}data: {{read: "$(cat | wc -c)"}}\nX\n'
    files = {".flux.yaml": flux_yaml("sh ./run.sh"), "run.sh": script}
    found = await generate(tmp_path, files, Reader({}), timeout_seconds=5.0)
    assert found.items[0].body["data"] == {"read": "0"}


async def test_two_generators_may_not_define_one_object(tmp_path: Path) -> None:
    files = {".flux.yaml": flux_yaml("cat map.txt", "cat map.txt"), "map.txt": MAP}
    with pytest.raises(ManifestError, match="duplicate definition"):
        await generate(tmp_path, files, Reader({}))


async def test_no_value_is_ever_in_a_file_of_the_workshop(tmp_path: Path) -> None:
    script = (
        "v=$(gopass apps/demo)\n"
        'found=$(grep -rl "correct horse" "$FLUX_SECRET_CALLS" "$HOME" "$TMPDIR" 2>/dev/null)\n'
        f'cat <<X\n{MAP}data: {{found: "$found"}}\nX\n'
    )
    files = {".flux.yaml": flux_yaml("timeout 10 sh ./run.sh"), "run.sh": script}
    found = await generate(tmp_path, files, Reader({"apps/demo": VALUE}))
    assert found.items[0].body["data"] == {"found": ""}
