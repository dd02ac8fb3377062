"""What a setting names is not read for ever: a device is refused, and what has too many bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_secret.errors import FluxSecretError
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.ssh import readable, ssh_command
from flux_secret.outside.kubernetes import kubeconfig
from flux_secret.settings.groups import KeySettings
from flux_secret.settings.listening import read_token
from flux_secret.wiring.keys import load_keys

ZERO = Path("/dev/zero")


def _hosts(_: Path) -> object:
    return readable(ZERO, "--git-known-hosts")


def _deploy_key(place: Path) -> object:
    return ssh_command(GitAccess(ssh_key=ZERO), "ssh", place)


def _keys(_: Path) -> object:
    return load_keys(KeySettings((ZERO,), None, Path("/nowhere")), "", contextlib.AsyncExitStack())


def _passphrase(place: Path) -> object:
    key = place / "flux.asc"
    key.write_bytes(b"a key")
    settings = KeySettings((key,), ZERO, place)
    return load_keys(settings, "", contextlib.AsyncExitStack())


def _token(_: Path) -> object:
    return read_token(ZERO)


def _authorities(place: Path) -> object:
    file = place / "kubeconfig"
    file.write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
        "users: [{name: a, user: {}}]\n"
        "clusters: [{name: a, cluster: {server: 'https://a', certificate-authority: /dev/zero}}]\n"
    )
    return kubeconfig.load(file, None, environ={})


@pytest.mark.parametrize("read", [_hosts, _deploy_key, _keys, _passphrase, _token, _authorities])
def test_a_device_that_a_setting_names_is_refused_by_name(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(FluxSecretError, match=f"{ZERO}.* cannot be read") as refused:
        read(tmp_path)
    assert refused.value.remedy
