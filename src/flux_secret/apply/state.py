"""Our own objects in the agent's namespace: the namespace itself and the Secret with our key.

All replicas share the key: whoever comes first makes it, everybody else reads it.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

from flux_secret.apply.digest import KEY_BYTES, DigestKey
from flux_secret.errors import IntegrityError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.kubernetes import AlreadyExistsError, Client, Json, ServedKind
from flux_secret.outside.kubernetes.body import encoded, text
from flux_secret.outside.kubernetes.home import create

STATE_SECRET: Final = "flux-secret-state"  # noqa: S105 -- the name of a Secret
KEY_NAME: Final = "digest-key"
SECRETS: Final = ServedKind("", "v1", "Secret", "secrets", namespaced=True)


async def digest_key(client: Client, namespace: str, *, make: bool = True) -> DigestKey:
    """Read the key, or make it; raise `IntegrityError` when the Secret is not ours to read.

    Without `make` a missing one is not written: no digest was ever made under it.
    """
    for _ in range(2):  # a second time when another replica made it meanwhile
        found = await client.get(SECRETS, namespace, STATE_SECRET)
        if found is not None:
            return _parsed(found, namespace)
        key = Plaintext(secrets.token_bytes(KEY_BYTES))
        if not make:
            return DigestKey(key)
        try:
            await create(client, SECRETS, namespace, STATE_SECRET, _body(key, namespace).reveal())
        except AlreadyExistsError:
            continue
        return DigestKey(key)
    raise _unusable(namespace)


def _parsed(secret: Json, namespace: str) -> DigestKey:
    try:
        key = base64.b64decode(text(secret, "data", KEY_NAME), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise _unusable(namespace)
    return DigestKey(Plaintext(key))


def _body(key: Plaintext, namespace: str) -> Plaintext:
    tree: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": STATE_SECRET, "namespace": namespace},
        "type": "flux-secret.io/state",
        "data": {KEY_NAME: base64.b64encode(key.reveal()).decode()},
    }
    return Plaintext(encoded(tree))


def _unusable(namespace: str) -> IntegrityError:
    return IntegrityError(
        f"secret/{STATE_SECRET} in {namespace} holds no key of {KEY_BYTES} bytes",
        remedy="delete it: a new one is made, and every object is compared and written once more",
    )
