"""A target whose repository holds encrypted files: which flag opens what, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.errors import GenerateError, ManifestError
from flux_secret.generate import generator
from flux_secret.generate.generator import Generator
from flux_secret.generate.interface import Ask
from flux_secret.model.delivery import Remark
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Manifest
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Generation, GitSecret, Source, Target
from simulators.opener import SimulatedOpener
from simulators.store_reader import SimulatedReader
from simulators.workshop import Checkout, Outcome, repository

CLEAR = b"apiVersion: v1\nkind: Secret\nmetadata: {name: demo}\nstringData: {password: hunter2}\n"
SEALED = CLEAR + b"sops: {mac: x, age: [{recipient: age1abc}]}\n"
HIDDEN = {".gitsecret/paths/mapping.cfg": b"demo/a.yaml:\n", "demo/a.yaml.secret": b"hidden"}
FLUX = b"version: 1\ncommandUpdated: {generators: [{command: one}]}\n"
OPENS = {SEALED: CLEAR, b"hidden": CLEAR}


@dataclass
class Shell:
    """Prints a revealed file, and complains of it."""

    code: int = 0

    @asynccontextmanager
    async def open(self, _how: Generation, _checkout: Path, _ask: Ask) -> AsyncIterator[Shell]:
        yield self

    async def kustomize(self, files: Mapping[str, bytes], *, timeout_seconds: float) -> Outcome:
        raise NotImplementedError(files, timeout_seconds)

    async def run(self, command: str, *, cwd: Path, timeout_seconds: float) -> Outcome:
        assert (command, timeout_seconds) == ("one", 60.0)
        text = (cwd / "a.yaml").read_bytes()
        return Outcome(self.code, Plaintext(text), b"read: " + text)


async def generate(
    root: Path, files: Mapping[str, bytes], generation: Generation, shell: Shell | None = None
) -> tuple[tuple[Manifest, ...], list[Remark]]:
    repository(root, {"demo/x": b"", **files})
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", generation=generation)
    made = Generator((shell or Shell()).open, SimulatedOpener(OPENS).opener())
    remarks: list[Remark] = []
    checkout = Checkout(root, root / "demo")
    found = await made.generate(target, checkout, SimulatedReader({}), remarks)
    return found.items, remarks


def password(manifests: tuple[Manifest, ...]) -> object:
    (manifest,) = manifests
    return manifest.body["stringData"]


async def test_sops_opens_plain_files_when_it_is_asked_to(tmp_path: Path) -> None:
    files = {"demo/a.yaml": SEALED}
    made, _ = await generate(tmp_path, files, Generation(enabled=False, sops=True))
    assert password(made) == {"password": Plaintext(b"hunter2")}
    with pytest.raises(ManifestError, match=r"demo/a\.yaml.* encrypted by sops") as caught:
        await generate(tmp_path, files, Generation(enabled=False))
    assert "--sops" in caught.value.remedy


async def test_what_a_command_prints_is_not_decrypted_as_under_flux_v1(tmp_path: Path) -> None:
    files = {"demo/a.yaml": SEALED, ".flux.yaml": FLUX}
    with pytest.raises(ManifestError, match=r"one.* is encrypted by sops"):
        await generate(tmp_path, files, Generation(sops=True))


async def test_scan_for_files_reads_encrypted_files_too(tmp_path: Path) -> None:
    files = {"demo/a.yaml": SEALED, ".flux.yaml": b"version: 1\nscanForFiles: {}\n"}
    made, _ = await generate(tmp_path, files, Generation(sops=True))
    assert password(made) == {"password": Plaintext(b"hunter2")}


@pytest.mark.parametrize("flux", [{}, {".flux.yaml": FLUX}], ids=["tree", "command"])
async def test_hidden_files_are_revealed_before_anything_is_read(
    tmp_path: Path, flux: Mapping[str, bytes]
) -> None:
    made, remarks = await generate(tmp_path, {**HIDDEN, **flux}, Generation(git_secret=GitSecret()))
    assert password(made) == {"password": Plaintext(b"hunter2")}
    assert "hunter2" not in str(remarks)


async def test_a_hidden_flux_yaml_counts(tmp_path: Path) -> None:
    files = {
        ".gitsecret/paths/mapping.cfg": b"demo/.flux.yaml:\n",
        "demo/.flux.yaml.secret": SEALED,
    }
    with pytest.raises(Exception, match=r"demo/\.flux\.yaml"):
        await generate(tmp_path, files, Generation(git_secret=GitSecret()))


async def test_what_was_revealed_is_masked_in_what_a_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, how = {**HIDDEN, ".flux.yaml": FLUX}, Generation(git_secret=GitSecret())
    with pytest.raises(GenerateError, match=r"exit status 3\nerror output:\nread: \*\*\*"):
        await generate(tmp_path, files, how, Shell(3))
    _, (remark,) = await generate(tmp_path, files, how)
    assert remark.says == "read: ***"
    monkeypatch.setattr(generator, "_MAX_MASKED", 10)
    with pytest.raises(GenerateError, match="not shown: it may quote"):
        await generate(tmp_path, files, how, Shell(3))


async def test_what_stays_hidden_is_remarked_where_nobody_asked(tmp_path: Path) -> None:
    files = {**HIDDEN, "demo/b.yaml": CLEAR}
    made, (remark,) = await generate(tmp_path, files, Generation(enabled=False))
    assert len(made) == 1
    assert str(remark).startswith("demo/a.yaml: git-secret hides it")
