"""What the Deployment gives the agent is what the agent takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import click

from flux_secret.cli.agent import agent
from flux_secret.install.render import render
from flux_secret.settings.environment import ENVIRONMENT_PREFIX, from_environment
from unit.install.test_render import KEYS, PLAIN, container

FULL = replace(
    PLAIN, git_user="flux", git_email="flux@example.org", git_readonly=True,
    garbage_collection=True,
)  # fmt: skip


def parsed() -> dict[str, Any]:
    """Start the agent as its container does, up to where it would run."""
    box = container(render(FULL, KEYS))
    environ = {one["name"]: one.get("value", "flux") for one in box["env"]}
    options = [one for one in agent.params if isinstance(one, click.Option) and one.name]
    given = from_environment({one.name: one.multiple for one in options if one.name}, environ)
    return agent.make_context("agent", list(box["args"]), default_map=given).params


def test_every_variable_of_ours_is_one_that_the_agent_reads() -> None:
    names = {one.name.upper() for one in agent.params if one.name}
    ours = [
        one["name"].removeprefix(ENVIRONMENT_PREFIX)
        for one in container(render(FULL, KEYS))["env"]
        if one["name"].startswith(ENVIRONMENT_PREFIX)
    ]
    assert len(ours) > 5
    assert [name for name in ours if name not in names] == []


def test_the_agent_takes_its_arguments_and_gets_what_was_asked_for() -> None:
    given = parsed()
    assert given["git_url"] == "git@github.com:example/applications"
    assert given["git_path"] == ("demo/overlay/dev",)
    assert given["store"] == ("apps=git@gitlab.com:example/secrets",)
    assert given["manifest_generation"] is True
    assert given["sync_garbage_collection"] is True
    assert given["git_readonly"] is True
    assert given["k8s_secret_name"] == "flux-ssh-config"
    assert given["k8s_allow_namespace"] == ("dev-demo",)
    assert given["namespace"] == "flux"


def test_what_it_reads_is_mounted_and_what_it_writes_lies_in_a_volume() -> None:
    given, box = parsed(), container(render(FULL, KEYS))
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in box["volumeMounts"]}

    def mount(path: object) -> bool:
        below = PurePosixPath(str(path))
        found = (mounts[str(one)] for one in (below, *below.parents) if str(one) in mounts)
        return bool(next(found))

    read = (*given["git_gpg_key_import"], given["git_known_hosts"])
    assert all(mount(path) for path in read)
    assert mount(f"{given['k8s_secret_volume_mount_path']}/{given['k8s_secret_data_key']}")
    written = (given["stores_from"], given["cache_dir"], "/tmp", "/dev/shm")
    assert not any(mount(path) for path in written)
