"""An armored SSH signature → the public key that it says it was made with (PROTOCOL.sshsig).

What it says proves nothing: ssh-keygen then verifies with exactly that key.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.identity import SshPublic
from flux_secret.model.ownerkey import OwnerKey

BEGIN: Final = b"-----BEGIN SSH SIGNATURE-----"
_END: Final = b"-----END SSH SIGNATURE-----"
_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1


def claimed(untrusted: bytes) -> OwnerKey | None:
    """Give the key; None for what is no such signature, or of a key that cannot approve."""
    head, _, rest = untrusted.strip().partition(BEGIN)
    body, end, _ = rest.partition(_END)
    try:
        blob = base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error:
        return None
    if head or not end or not blob.startswith(_MAGIC):
        return None
    version, blob = blob[len(_MAGIC) : len(_MAGIC) + 4], blob[len(_MAGIC) + 4 :]
    public = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    kind = public[4 : 4 + int.from_bytes(public[:4], "big")]
    if int.from_bytes(version, "big") != _VERSION:
        return None
    try:
        return OwnerKey.parse(str(SshPublic(kind.decode("ascii", errors="replace"), public)))
    except UsageError:
        return None
