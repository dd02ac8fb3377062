"""Every rule of `.flux.yaml`, a vector each; `differs` says where Flux v1 does otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from flux_secret.errors import FluxYamlError
from flux_secret.generate.flux_yaml import Command, CommandUpdated, Config, PatchUpdated, parse
from simulators.vectors import Vector, read_vectors

VECTORS = read_vectors("flux_yaml", {"error", "remark", "differs"})


def test_there_are_vectors() -> None:
    assert len(VECTORS) > 60


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_flux_yaml_is_read_as_its_vector_says(vector: Vector) -> None:
    if vector.one("expect") == "error":
        with pytest.raises(FluxYamlError) as caught:
            parse(vector.payload, "demo/.flux.yaml")
        assert caught.value.what.split("\n") == vector.all("error")
        assert caught.value.remedy
        return
    config, remarks = parse(vector.payload, "demo/.flux.yaml")
    assert shown(config) == vector.one("expect")
    assert [str(remark) for remark in remarks] == vector.all("remark")


def shown(config: Config) -> str:
    """Write a configuration as vectors do: `commandUpdated [["kustomize build ."], ["a", 90]]`."""
    match config:
        case CommandUpdated(generators, updaters):
            kept = [commands(filter(None, (one.container_image, one.policy))) for one in updaters]
            return " ".join(
                [f"commandUpdated {commands(generators)}", *(f"updater {one}" for one in kept)]
            )
        case PatchUpdated(generators, patch_file):
            return f"patchUpdated {patch_file} {commands(generators)}"
        case _:
            return "scanForFiles"


def commands(generators: Iterable[Command]) -> str:
    return json.dumps(
        [
            [one.command] if one.timeout_seconds is None else [one.command, one.timeout_seconds]
            for one in generators
        ]
    )
