"""Who may talk to the API server: its token file, its signing key, kubeconfigs for people and pods.

A person (`nobody`) is a line of the token file, read when the API server starts, and has the rights
that RBAC gives to the name or its groups: none. A service account can be made at any time.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypedDict

from cluster.administrator import Administrator
from cluster.process import until

ADMINISTRATOR: Final = "admin"
_CURVE: Final = bytes.fromhex("06082a8648ce3d030107")  # prime256v1 as an ASN.1 object identifier
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
RBAC: Final = "rbac.authorization.k8s.io"


class Rule(TypedDict):
    """What a service account may do, as RBAC says it."""

    apiGroups: Sequence[str]
    resources: Sequence[str]
    verbs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Person:
    """A name that the token file knows."""

    name: str
    groups: Sequence[str] = ()
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


@dataclass(frozen=True, slots=True)
class Kubeconfigs:
    """Kubeconfigs of one API server, each readable by its owner only."""

    directory: Path
    url: str
    certificate: Path

    def write(self, name: str, token: str, namespace: str = "default") -> Path:
        """Write the kubeconfig of one name."""
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        context = {"cluster": "tests", "user": name, "namespace": namespace}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {
                "server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": context}],
        }  # fmt: skip
        return write_private(self.directory / f"{name}.kubeconfig", json.dumps(config, indent=1))


def token_file(people: Sequence[Person]) -> str:
    """Give the lines of `--token-auth-file`: token, name, uid, groups."""
    return "".join(
        f'{one.token},{one.name},{one.name},"{",".join(one.groups)}"\n' for one in people
    )


def signing_key() -> str:
    """Make the key that signs service account tokens: RFC 5915's ECPrivateKey, in PEM.

    In Python, since the standard library makes no keys and a machine may have no openssl.
    """
    scalar = (1 + secrets.randbelow(_ORDER - 1)).to_bytes(32, "big")
    content = b"\x02\x01\x01" + b"\x04\x20" + scalar + b"\xa0" + bytes([len(_CURVE)]) + _CURVE
    armored = base64.encodebytes(b"\x30" + bytes([len(content)]) + content).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{armored}-----END EC PRIVATE KEY-----\n"


def service_account(
    admin: Administrator, name: str, rules: Sequence[Rule], namespace: str, *, everywhere: bool
) -> str:
    """Make a service account that may do `rules` in its namespace or everywhere; give its token."""
    kind, scope = ("ClusterRole", "") if everywhere else ("Role", f"/namespaces/{namespace}")
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    metadata = {"name": f"{namespace}-{name}" if everywhere else name}
    admin.post(accounts, {"metadata": {"name": name}})
    if rules:
        roles = f"/apis/{RBAC}/v1{scope}/{kind.lower()}s"
        reference = {"apiGroup": RBAC, "kind": kind, **metadata}
        admin.post(roles, {"metadata": metadata, "rules": rules})
        admin.post(
            roles.removesuffix("s") + "bindings",
            {"metadata": metadata, "roleRef": reference, "subjects": [account]},
        )
        attributes = {
            "namespace": namespace, "group": rules[0]["apiGroups"][0],
            "resource": rules[0]["resources"][0], "verb": rules[0]["verbs"][0],
        }  # fmt: skip
        user = f"system:serviceaccount:{namespace}:{name}"
        until(f"{user} has its rights", lambda: _may(admin, user, attributes))
    answer = admin.post(f"{accounts}/{name}/token", {"spec": {}})
    return str(answer["status"]["token"])


def _may(admin: Administrator, user: str, attributes: Mapping[str, str]) -> bool:
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    return bool(admin.post(path, review)["status"]["allowed"])


def write_private(file: Path, content: str) -> Path:
    """Write a file that only its owner reads, from its first byte on."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as output:
        output.write(content)
    return file
