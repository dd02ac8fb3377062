"""How an API server is reached: address, trust, identity, proxy; nothing is opened yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes.credentials import Anonymous, Credentials


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: Plaintext


@dataclass(frozen=True, slots=True)
class Trust:
    """Which API server is believed to be the right one."""

    authorities: str = ""
    """PEM; empty means the system's own authorities."""
    server_name: str = ""
    """The name to look for in the certificate, when it is not the address's."""
    insecure: bool = False
    """`insecure-skip-tls-verify`, as the kubeconfig says."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What a kubeconfig's context, or the pod's service account, says."""

    server: str
    """`https://127.0.0.1:6443`, without a slash at the end."""
    namespace: str = "default"
    trust: Trust = field(default_factory=Trust)
    credentials: Credentials = field(default_factory=Anonymous)
    certificate: ClientCertificate | None = None
    proxy: str | None = field(default=None, repr=False)
    """May hold a password."""
