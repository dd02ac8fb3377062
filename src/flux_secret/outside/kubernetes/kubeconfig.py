"""A kubeconfig file, or a pod's service account → how the API server is reached.

Honoured as kubectl does: current context or `--context`, the context's namespace, authorities (file
or data), `tls-server-name`, `insecure-skip-tls-verify`, `proxy-url` (else the proxy variables),
client certificates, `token`, `tokenFile`, user name with password, `exec` plugins (v1, v1beta1).
`auth-provider`, which kubectl itself dropped in 1.26, and impersonation are refused by name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from flux_secret.errors import ConfigurationError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes.body import Json, items, mapping, text, texts
from flux_secret.outside.kubernetes.connection import ClientCertificate, Connection, Trust
from flux_secret.outside.kubernetes.credentials import (
    EXEC_VERSIONS,
    Anonymous,
    Credentials,
    ExecPlugin,
    ExecToken,
    Header,
    TokenFile,
)
from flux_secret.outside.kubernetes.proxy import proxy_for
from flux_secret.outside.reading import read_bounded

MAX_KUBECONFIG: Final = 4 * 1024 * 1024  # bytes, also of each file that it names
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_REFUSED: Final = ("auth-provider", "as", "as-uid", "as-groups", "as-user-extra")
_NO_ENV: Final[Mapping[str, str]] = {}


def load(
    path: Path, context: str | None = None, *, environ: Mapping[str, str] = _NO_ENV
) -> Connection:
    """Read a kubeconfig; raise `ConfigurationError`, which names the part and never shows it.

    `environ` gives the proxy variables, and PATH and HOME for an `exec` plugin.
    """
    config = _Kubeconfig(path, _read(path))
    chosen = config.context(context or text(config.tree, "current-context"))
    cluster = config.named("clusters", "cluster", text(chosen, "cluster"))
    user = config.named("users", "user", text(chosen, "user")) if text(chosen, "user") else {}
    server = config.server(cluster)
    return Connection(
        server=server,
        namespace=text(chosen, "namespace") or "default",
        trust=Trust(
            authorities=config.pem(cluster, "certificate-authority").decode("ascii", "replace"),
            server_name=text(cluster, "tls-server-name"),
            insecure=cluster.get("insecure-skip-tls-verify") is True,
        ),
        credentials=config.credentials(user, environ),
        certificate=config.certificate(user),
        proxy=text(cluster, "proxy-url") or proxy_for(server, environ),
    )


def in_cluster(environ: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Connection:
    """Give the way from a pod to its API server; raise `ConfigurationError` outside of one."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    authorities, namespace = account / "ca.crt", account / "namespace"
    if not host or not port or not authorities.is_file():
        raise ConfigurationError(
            "there is no kubeconfig, and this is not a pod with a service account",
            remedy="name one: --kubeconfig FILE, or set KUBECONFIG",
        )
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        trust=Trust(authorities=authorities.read_text()),
        credentials=TokenFile(account / "token"),
    )


def _read(path: Path) -> Json:
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_KUBECONFIG + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the kubeconfig {path} cannot be read: {error.strerror}", remedy="--kubeconfig FILE"
        ) from None
    tree: Json = None
    if len(untrusted) <= MAX_KUBECONFIG:
        try:
            tree = yaml.load(untrusted, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, ValueError, RecursionError):
            tree = None
    if not isinstance(tree, dict):  # raised out here: a YAML error quotes the file, keys and all
        raise ConfigurationError(
            f"the kubeconfig {path} is not a YAML object of at most {MAX_KUBECONFIG} bytes",
            remedy="see what `kubectl config view` says of it",
        )
    return tree


class _Kubeconfig:
    """The parsed file and where it lies: its relative paths count from there."""

    def __init__(self, path: Path, tree: Json) -> None:
        self._path = path
        self._directory = path.resolve().parent
        self.tree = tree

    def context(self, name: str) -> Mapping[str, Json]:
        if not name:
            raise ConfigurationError(
                f"the kubeconfig {self._path} has no current context", remedy="--context NAME"
            )
        return self.named("contexts", "context", name)

    def named(self, section: str, part: str, name: str) -> Mapping[str, Json]:
        for entry in items(self.tree, section):
            if text(entry, "name") == name:
                return mapping(entry, part)
        known = ", ".join(text(entry, "name") for entry in items(self.tree, section)) or "none"
        raise ConfigurationError(
            f"the kubeconfig {self._path} has no {part} {name!r}", remedy=f"it has: {known}"
        )

    def server(self, cluster: Mapping[str, Json]) -> str:
        server = text(cluster, "server").rstrip("/")
        loopback = ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")
        if not server.startswith("https://") and not server.startswith(loopback):
            raise ConfigurationError(
                f"the kubeconfig {self._path} has no https address of its server",
                remedy="http is used on loopback only",
            )
        return server

    def pem(self, part: Mapping[str, Json], name: str) -> bytes:
        """Read NAME-data, or else the file that NAME names; empty when there is neither."""
        data, file = text(part, f"{name}-data"), text(part, name)
        failed = f"{name}-data is not base64"
        try:
            if data:
                return base64.b64decode(data, validate=True)
            if file:
                failed = f"{name} {file} cannot be read"
                return read_bounded(self._directory / file, MAX_KUBECONFIG)
        except (binascii.Error, OSError):
            raise ConfigurationError(
                f"the kubeconfig {self._path}: {failed}", remedy="copy it again from the cluster"
            ) from None
        return b""

    def certificate(self, user: Mapping[str, Json]) -> ClientCertificate | None:
        certificate, key = self.pem(user, "client-certificate"), self.pem(user, "client-key")
        return ClientCertificate(certificate, Plaintext(key)) if certificate and key else None

    def credentials(self, user: Mapping[str, Json], environ: Mapping[str, str]) -> Credentials:
        for name in _REFUSED:
            if name in user:
                raise ConfigurationError(
                    f"the kubeconfig {self._path} uses {name}, which flux-secret does not",
                    remedy="name a user with a token, a certificate or an exec plugin",
                )
        if token_file := text(user, "tokenFile"):  # wins over token, as in client-go
            return TokenFile(self._directory / token_file)
        if token := text(user, "token"):
            return Header.bearer(token)
        if name := text(user, "username"):
            pair = base64.b64encode(f"{name}:{text(user, 'password')}".encode())
            return Header(Plaintext(b"Basic " + pair))
        if "exec" in user:
            return ExecToken(self._plugin(mapping(user, "exec"), environ))
        return Anonymous()

    def _plugin(self, tree: Mapping[str, Json], environ: Mapping[str, str]) -> ExecPlugin:
        version, command = text(tree, "apiVersion"), text(tree, "command")
        if version not in EXEC_VERSIONS or not command:
            raise ConfigurationError(
                f"the kubeconfig {self._path} has an exec plugin of {version or 'no version'}",
                remedy=f"flux-secret knows {', '.join(sorted(EXEC_VERSIONS))}",
            )
        own = {text(pair, "name"): text(pair, "value") for pair in items(tree, "env")}
        info = (
            f'{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{"interactive":false}}}}'
        )
        return ExecPlugin(
            argv=(command, *texts(tree, "args")),
            api_version=version,
            env={**environ, **own, "KUBERNETES_EXEC_INFO": info},
            directory=self._directory,
            hint=text(tree, "installHint")[:500],
        )
