"""Every rule of how a stream or a tree is read, a vector each; `differs` says what Flux v1 does.

The payload is what one command prints, or what several print, or (`as: files`) several files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError
from flux_secret.generate.generator import Generator
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Manifest, Value
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.target import Source, Target
from simulators.opener import SimulatedOpener
from simulators.store_reader import SimulatedReader
from simulators.vectors import Vector, read_vectors
from simulators.workshop import Checkout, FakeWorkshop, Printed, repository

VECTORS = read_vectors("manifests", {"as", "error", "body", "differs"})


def test_there_are_vectors() -> None:
    assert len(VECTORS) > 60


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
async def test_what_a_target_gives_is_read_as_its_vector_says(
    tmp_path: Path, vector: Vector
) -> None:
    if vector.all("expect") == ["error"]:
        with pytest.raises(ConfigurationError) as caught:
            await generated(tmp_path, vector)
        assert caught.value.what.split("\n") == vector.all("error")
        assert caught.value.remedy
        return
    manifests = await generated(tmp_path, vector)
    assert [named(one) for one in manifests] == vector.all("expect")
    if bodies := vector.all("body"):
        assert [content(one) for one in manifests] == [json.loads(body) for body in bodies]


async def generated(root: Path, vector: Vector) -> Sequence[Manifest]:
    several = vector.payload.startswith(b"=== ")
    if vector.all("as") == ["files"]:
        files = vector.parts() if several else {"demo/a.yaml": vector.payload}
        printed = {}
    else:
        outputs = vector.parts() if several else {"./run.sh": vector.payload}
        commands = "".join(f"  - command: {name}\n" for name in outputs)
        flux_yaml = f"version: 1\ncommandUpdated:\n  generators:\n{commands}"
        files = {"demo/.flux.yaml": flux_yaml.encode()}
        printed = {name: Printed(text) for name, text in outputs.items()}
    repository(root, files)
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo")
    checkout = Checkout(root, root / "demo")
    made = await Generator(FakeWorkshop(printed).open, SimulatedOpener().opener()).generate(
        target, checkout, SimulatedReader({}), []
    )
    return made.items


def named(one: Manifest) -> str:
    """Write an object's name as vectors do: `apps/v1 Deployment demo/web`."""
    namespace = f"{one.key.namespace}/" if one.key.namespace else ""
    return f"{one.api_version} {one.key.kind} {namespace}{one.key.name}"


def content(one: Manifest) -> object:
    """Give what an object says besides its name."""
    body = {name: told(value) for name, value in one.body.items()}
    metadata = body.pop("metadata")
    assert isinstance(metadata, dict)
    more = {name: value for name, value in metadata.items() if name not in {"name", "namespace"}}
    rest = {name: value for name, value in body.items() if name not in {"apiVersion", "kind"}}
    return rest | ({"metadata": more} if more else {})


def told(value: Value) -> object:
    if isinstance(value, Plaintext):
        return {"plaintext": value.reveal().decode()}
    if isinstance(value, Mapping):
        return {name: told(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [told(item) for item in value]
    return value
