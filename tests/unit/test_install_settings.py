"""Flags of `install` and `identity` → settings; what cannot be meant is refused with a remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flux_secret.errors import ConfigurationError, FluxSecretError, UsageError
from flux_secret.settings import IdentityFlags, IdentitySettings, InstallFlags, InstallSettings

FLAGS = InstallFlags(
    git_url="git@github.com:example/applications",
    git_branch="main",
    git_path=("demo,shop", "more"),
    store=("apps=git@github.com:example/secrets",),
    k8s_allow_namespace=("dev-demo,shop",),
    image="registry.example.org:5000/team/flux-secret@sha256:0123",
)
ENV = {"HOME": "/nonexistent", "PATH": ""}


def load(**changed: Any) -> InstallSettings:  # noqa: ANN401 -- flags of every type
    return InstallSettings.load(replace(FLAGS, **changed), ENV)


def test_flags_become_an_installation() -> None:
    found = load(git_user="flux", sync_garbage_collection=True).installation
    assert found.paths == ("demo", "shop", "more")
    assert found.source is not None
    assert found.source.branch == "main"
    assert found.applications == ("dev-demo", "shop")
    assert found.garbage_collection
    assert found.namespace == "flux"
    assert {str(name): str(url) for name, url in found.stores.items()} == {
        "apps": "git@github.com:example/secrets"
    }
    assert load().keys is None


def test_what_an_agent_is_told_of_owners_and_its_record(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"openpgp:{'A' * 40}  # alice\n")
    found = load(
        store_anchor=(f"apps={'1' * 40}",), store_owner_keys=(f"apps={keys}",),
        from_="admin/technical/k8s/prod/flux", cluster_name="prod",
        record_git_url="git@github.com:example/record", record_keep="512Mi",
    ).installation  # fmt: skip
    (anchor,) = found.anchors.values()
    assert (anchor.commit, [str(key) for key in anchor.keys]) == ("1" * 40, [f"openpgp:{'A' * 40}"])
    assert (found.cluster_name, str(found.record_git_url), found.record_keep) == (
        "prod", "git@github.com:example/record", "512Mi",
    )  # fmt: skip


def test_custom_resources_need_no_repository_and_leave_rights_to_print_rbac() -> None:
    alone = {"custom_resources": True, "git_url": None, "k8s_allow_namespace": ()}
    found = load(**alone).installation
    assert (found.source, found.paths, found.applications) == (None, (), ())
    assert found.rights_apart
    assert not load(**alone, all_namespaces=True).installation.rights_apart
    both = load(custom_resources=True).installation
    assert both.source is not None
    assert not both.rights_apart


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"git_url": None}, "no application repository is named"),
        ({"git_url": "https://me:hunter2@host/repo"}, "holds a user or a password"),
        ({"git_url": "https://$(TOKEN)@host/repo"}, "holds a user or a password"),
        ({"store": ("apps=https://hunter2@host/repo",)}, "holds a user or a password"),
        ({"store": ("apps=https://$(TOKEN)@host/repo",)}, "holds a user or a password"),
        ({"store": ("apps",)}, "names an address but no store"),
        ({"git_path": ("/demo",)}, "leading forward slash"),
        ({"image": None}, "image is not named"),
        ({"image": "an image"}, "no image's name"),
        ({"image": "-x"}, "no image's name"),
        ({"namespace": "Flux"}, "is no name of a namespace"),
        ({"k8s_allow_namespace": ("a/b",)}, "is no name of a namespace"),
        ({"k8s_allow_namespace": ("flux",)}, "where the agent's own keys are"),
        ({"k8s_allow_namespace": ()}, "nothing says where applications may go"),
        ({"all_namespaces": True}, "exclude each other"),
        ({"apply": True}, "nothing says which keys"),
        ({"cluster_name": "prod"}, "nothing says of which store"),
        ({"from_": "admin/technical/k8s/prod/flux", "cluster_name": "dev"}, "name two folders"),
        ({"store_anchor": ("apps=abc",)}, "names no commit by its whole id"),
        ({"store_anchor": (f"other={'a' * 40}",)}, "there is no --store other"),
        ({"record_git_url": "https://me:hunter2@host/repo"}, "holds a user or a password"),
        ({"record_git_url": "https://$(TOKEN)@host/repo"}, "holds a user or a password"),
        ({"record_git_url": "nothing"}, "--record-git-url"),
        ({"record_keep": "1Gi"}, "none is kept"),
        ({"record_storage": "1Gi", "record_keep": "2Gi"}, "does not fit into"),
        ({"record_storage": "1Gi", "record_keep": "1k"}, "too little to keep"),
        ({"store_dir": Path("x")}, "nothing says of which store"),
        ({"from_": "admin"}, "names a store, but no folder"),
        ({"from_": "admin/x", "cluster_name": "prod"}, "name two folders"),
        ({"from_": "admin", "cluster_name": "../x"}, "name two folders"),
        ({"from_": "/admin/x"}, "starts with a slash"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        load(**changed)
    assert caught.value.remedy
    assert "hunter2" not in caught.value.what + caught.value.remedy


def test_all_namespaces_is_said_openly() -> None:
    assert load(k8s_allow_namespace=(), all_namespaces=True).installation.applications == ()


def test_the_folder_of_the_keys_is_the_walkthroughs() -> None:
    for changed in (
        {"from_": "admin/technical/k8s/prod/flux"},
        {"from_": "admin/technical/k8s/prod//flux/"},
        {"from_": "admin", "cluster_name": "prod"},
    ):
        keys = load(**changed).keys
        assert keys is not None
        assert str(keys.path) == "admin/technical/k8s/prod/flux"


def test_known_hosts_are_a_file_of_text(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("host ssh-ed25519 AAAA\n")
    assert load(git_known_hosts=file).installation.known_hosts == "host ssh-ed25519 AAAA\n"
    for content in (b"", b" \n", b"\xff", b"a\x1b[31m\n", b"x" * (256 * 1024 + 1)):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match="cannot be read as one"):
            load(git_known_hosts=file)
    with pytest.raises(ConfigurationError, match="cannot be read as one"):
        load(git_known_hosts=tmp_path / "none")


def test_printing_needs_no_cluster() -> None:
    several = {**ENV, "KUBECONFIG": "/a:/b"}
    assert InstallSettings.load(FLAGS, several).cluster.kubeconfig is None
    applying = replace(FLAGS, apply=True, from_="admin/x")
    with pytest.raises(FluxSecretError, match="KUBECONFIG names several files"):
        InstallSettings.load(applying, several)


def test_identity_asks_the_cluster_where_nothing_else_is_named() -> None:
    assert IdentitySettings.load(IdentityFlags(), ENV).is_of_cluster
    assert not IdentitySettings.load(IdentityFlags(git_ssh_key=Path("x")), ENV).is_of_cluster
    assert not IdentitySettings.load(IdentityFlags(from_="admin/x"), ENV).is_of_cluster
    with pytest.raises(UsageError, match="twice"):
        IdentitySettings.load(IdentityFlags(from_="admin/x", git_ssh_key=Path("x")), ENV)
