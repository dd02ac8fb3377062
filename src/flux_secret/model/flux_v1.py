"""What Flux v1 writes on objects: which daemon delivered them, and what people want left alone.

The mark of an object is a hash of the daemon's configuration and of the object's own name, so that
a copied label marks nothing (facts: flux-v1 §3.1, §3.2).
"""

from __future__ import annotations

import base64
import enum
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey

MARK: Final = "fluxcd.io/sync-gc-mark"
"""Label; set on everything that Flux v1 applies, garbage collection on or off."""
CHECKSUM: Final = "fluxcd.io/sync-checksum"
"""Annotation; SHA-1 of the manifest, a Secret's in clear included."""
IGNORE: Final = ("fluxcd.io/ignore", "flux.weave.works/ignore")
_PREFIXES: Final = ("flux.weave.works/", "fluxcd.io/")  # the newer wins where both are there
_FILTER: Final = "filter.fluxcd.io/"
RESOURCE_ID: Final = re.compile(r"(?:<cluster>|[A-Za-z0-9_-]+):[A-Za-z0-9_-]+/[A-Za-z0-9_.:-]+\Z")
"""What Flux v1 takes for an id (pkg/resource/id.go); fluxctl fails on an answer with another."""
CLUSTER: Final = "<cluster>"
"""Stands for the namespace of what has none."""


class Ignore(enum.Enum):
    """What an `ignore` annotation says; any other value says nothing."""

    WHOLLY = "true"
    """Neither applied nor removed."""
    SYNC_ONLY = "sync_only"
    """Applied, and never removed."""


def ignored(annotations: Mapping[str, object]) -> Ignore | None:
    """Read both spellings; where they differ, the one that leaves more alone counts."""
    said = {annotations.get(name) for name in IGNORE}
    return next((one for one in Ignore if one.value in said), None)


def policies(annotations: Mapping[str, str]) -> Mapping[str, str]:
    """Give what both prefixes say, as `fluxctl` names it: `ignore`, `locked`, `tag.CONTAINER`."""
    found: dict[str, str] = {}
    for prefix in _PREFIXES:
        for name, value in annotations.items():
            if name.startswith(prefix) and name != CHECKSUM:
                found[name.removeprefix(prefix)] = value
    for name, value in annotations.items():
        if name.startswith(_FILTER):
            found[f"tag.{name.removeprefix(_FILTER)}"] = value
    return found


@dataclass(frozen=True, slots=True)
class SyncSet:
    """One daemon of Flux v1, as its marks know it: repository, branch and paths, in order."""

    name: str

    @classmethod
    def of(cls, url: GitUrl, branch: str, paths: Sequence[str]) -> SyncSet:
        """Compute it as fluxd does; `paths` as `--git-path` gave them, empty for none."""
        text = safe_url(url) + branch + "".join(paths)
        return cls(_hashed(text))

    def mark(self, key: ObjectKey) -> str:
        """Give the mark of one object, whose namespace is known."""
        return f"sha256.{_hashed(self.name + resource_id(key))}"


def resource_id(key: ObjectKey) -> str:
    """Give Flux v1's id: `dev-demo:secret/demo-secret`, `<cluster>:namespace/demo`."""
    return f"{key.namespace or CLUSTER}:{key.kind.lower()}/{key.name}"


def safe_url(url: GitUrl) -> str:
    """Give the address as Flux v1 shows it: normalised, with the user and without the password."""
    address = url.address
    if address.startswith("/"):
        return f"file://{address}"
    if "://" not in address:
        login, _, path = address.partition(":")
        return f"ssh://{login}/{path.removeprefix('/')}"
    if url.login is None:
        return address
    scheme, _, rest = address.partition("://")
    user = url.login.reveal().decode().partition(":")[0]
    return f"{scheme}://{user}@{rest}"


def _hashed(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
