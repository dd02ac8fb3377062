"""Trust and a client certificate → an SSL context."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

from flux_secret.errors import AccessError, ConfigurationError
from flux_secret.outside import files
from flux_secret.outside.kubernetes.connection import ClientCertificate, Connection


def context(connection: Connection) -> ssl.SSLContext | bool:
    """Give the context for the connection; `False` for plain http, which is only for loopback."""
    if connection.server.startswith("http://"):
        return False
    trust = connection.trust
    try:
        made = ssl.create_default_context(cadata=trust.authorities or None)
    except (ssl.SSLError, ValueError):
        raise ConfigurationError(
            "the kubeconfig's certificate-authority is not PEM",
            remedy="copy it again from the cluster",
        ) from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if connection.certificate is not None:
        _load(made, connection.certificate)
    return made


def _load(made: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Load a key that ssl takes only from a file: one in memory, never on a disk."""
    pem = certificate.certificate + b"\n" + certificate.key.reveal()
    try:
        if sys.platform == "linux":
            handle = os.memfd_create("flux-secret-client-certificate")
            try:
                os.write(handle, pem)
                made.load_cert_chain(f"/proc/self/fd/{handle}")
            finally:
                os.close(handle)
        else:
            with files.scratch("kubeconfig") as place:
                path = Path(place) / "client.pem"
                files.write_atomic(path, pem)
                made.load_cert_chain(path)
    except (ssl.SSLError, OSError):
        raise AccessError(
            "the kubeconfig's client certificate or its key cannot be used",
            remedy="check client-certificate and client-key; a key must have no passphrase",
        ) from None
