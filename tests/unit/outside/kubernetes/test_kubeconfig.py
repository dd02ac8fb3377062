from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux_secret.errors import AccessError, ConfigurationError
from flux_secret.outside.kubernetes import in_cluster, load
from flux_secret.outside.kubernetes.credentials import Anonymous, ExecToken


def write(
    path: Path, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
) -> Path:
    tree = {
        "current-context": "c",
        "contexts": [
            {"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "team"}},
            {"name": "other", "context": {"cluster": "k2", "user": "u"}},
        ],
        "clusters": [
            {"name": "k", "cluster": {"server": "https://a.example.org:6443/", **(cluster or {})}},
            {"name": "k2", "cluster": {"server": "https://b.example.org"}},
        ],
        "users": [{"name": "u", "user": user or {}}],
    }
    file = path / "config"
    file.write_text(json.dumps(tree))
    return file


async def header(path: Path, **user: object) -> bytes | None:
    value = await load(write(path, user)).credentials.authorization()
    return value.reveal() if value else None


def test_the_current_context_and_its_namespace_are_used(tmp_path: Path) -> None:
    connection = load(write(tmp_path))
    assert connection.server == "https://a.example.org:6443"
    assert connection.namespace == "team"
    assert isinstance(connection.credentials, Anonymous)


def test_another_context_can_be_named(tmp_path: Path) -> None:
    connection = load(write(tmp_path), "other")
    assert connection.server == "https://b.example.org"
    assert connection.namespace == "default"


def test_a_context_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no context 'x'") as caught:
        load(write(tmp_path), "x")
    assert caught.value.remedy == "it has: c, other"


async def test_a_token_becomes_a_header(tmp_path: Path) -> None:
    assert await header(tmp_path, token="t0ken") == b"Bearer t0ken"
    assert await header(tmp_path, username="a", password="b") == b"Basic YTpi"
    assert await header(tmp_path) is None


async def test_a_token_file_wins_and_counts_from_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    assert await header(tmp_path, tokenFile="token", token="x") == b"Bearer from-file"


async def test_a_token_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("first")
    credentials = load(write(tmp_path, {"tokenFile": "token"})).credentials

    async def now() -> bytes:
        value = await credentials.authorization()
        assert value is not None
        return value.reveal()

    assert await now() == b"Bearer first"
    (tmp_path / "token").write_text("second")
    assert await now() == b"Bearer first"
    credentials.refused()
    assert await now() == b"Bearer second"
    (tmp_path / "token").write_text("third")
    clock = "flux_secret.outside.kubernetes.credentials.time.monotonic"
    monkeypatch.setattr(clock, lambda: float("inf"))
    assert await now() == b"Bearer third"
    (tmp_path / "token").unlink()
    credentials.refused()
    with pytest.raises(AccessError, match="cannot be read or is empty"):
        await now()


def test_trust_is_read_from_data_or_file(tmp_path: Path) -> None:
    data = base64.b64encode(b"PEM").decode()
    trust = load(write(tmp_path, cluster={"certificate-authority-data": data})).trust
    assert trust.authorities == "PEM"
    (tmp_path / "ca").write_text("FILE")
    cluster = {"certificate-authority": "ca", "tls-server-name": "api", "proxy-url": "http://p:1"}
    connection = load(write(tmp_path, cluster=cluster))
    assert connection.trust.authorities == "FILE"
    assert connection.trust.server_name == "api"
    assert connection.proxy == "http://p:1"
    assert not connection.trust.insecure
    assert load(write(tmp_path, cluster={"insecure-skip-tls-verify": True})).trust.insecure


def test_a_client_certificate_is_read_and_its_key_is_not_shown(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"KEYBYTES").decode()
    user = {"client-certificate-data": encoded, "client-key-data": encoded}
    connection = load(write(tmp_path, user))
    assert connection.certificate is not None
    assert "KEYBYTES" not in repr(connection.certificate.key)


@pytest.mark.parametrize("refused", ["auth-provider", "as", "as-groups"])
def test_what_flux_secret_does_not_do_is_refused_by_name(tmp_path: Path, refused: str) -> None:
    with pytest.raises(ConfigurationError, match=refused):
        load(write(tmp_path, {refused: {"x": "y"}}))


def test_an_exec_plugin_must_have_a_version_we_know(tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    plugin = {"apiVersion": version, "command": "login", "args": ["x"]}
    assert isinstance(load(write(tmp_path, {"exec": plugin})).credentials, ExecToken)
    with pytest.raises(ConfigurationError, match="v1alpha1"):
        load(write(tmp_path, {"exec": {**plugin, "apiVersion": f"{version}alpha1"}}))


@pytest.mark.parametrize(
    "server", ["http://a.example.org", "ftp://x", "", "http://127.0.0.1.evil:1"]
)
def test_plain_http_is_for_loopback_only(tmp_path: Path, server: str) -> None:
    with pytest.raises(ConfigurationError, match="no https address"):
        load(write(tmp_path, cluster={"server": server}))
    assert load(write(tmp_path, cluster={"server": "http://127.0.0.1:8001"})).server


def test_a_kubeconfig_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load(tmp_path / "none")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(untrusted=st.binary())
def test_arbitrary_bytes_give_our_error_without_a_trace_of_them(
    tmp_path: Path, untrusted: bytes
) -> None:
    (tmp_path / "any").write_bytes(untrusted)
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "any")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["clusters", "contexts", "users", "name", "current-context", "user"]
                ),
                inner,
            )
        ),
    )
)
def test_an_arbitrary_tree_gives_our_error(tmp_path: Path, tree: object) -> None:
    (tmp_path / "any").write_text(json.dumps(tree))
    with pytest.raises(ConfigurationError):
        load(tmp_path / "any")


def test_a_pods_service_account_is_used(tmp_path: Path) -> None:
    for name, content in {"ca.crt": "CA", "namespace": "flux\n", "token": "t"}.items():
        (tmp_path / name).write_text(content)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    connection = in_cluster(environ, tmp_path)
    assert connection.server == "https://[fd00::1]:443"
    assert connection.namespace == "flux"
    with pytest.raises(ConfigurationError, match="not a pod"):
        in_cluster({}, tmp_path)
