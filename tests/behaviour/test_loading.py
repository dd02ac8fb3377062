"""What a repository's files may say besides manifests, as people see it."""

from __future__ import annotations

from simulators.world import APPLICATION, FIRST, World

FLUX = f"{APPLICATION}/.flux.yaml"
COMMANDS = (
    "version: 1\ncommandUpdated:\n  generators:\n"
    "  - command: kustomize build .\n  - command: ./secrets.yaml.sh\n"
)


def test_what_counts_for_nothing_in_a_flux_yaml_is_named_and_the_rest_delivered(
    world: World,
) -> None:
    world.ops.commit({FLUX: f"{COMMANDS}  - command: ''\npatchFiles: x.yaml\n---\nversion: 7\n"})
    done = world.deliver()
    assert done.code == 0, done.err
    assert world.secret()[0] == FIRST
    said = [line for line in done.err.splitlines() if FLUX in line]
    place = f"warning: {APPLICATION}: {FLUX}"
    first = "only its first document counts: another one, at line 9, counts for nothing"
    assert said == [
        f"{place}, line 6: a command is empty and runs nothing",
        f"{place}, line 7: 'patchFiles' is none of its keys and counts for nothing",
        f"{place}: {first}",
    ]
