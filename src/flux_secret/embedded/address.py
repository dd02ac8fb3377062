"""A request's path and method → what is addressed, and RBAC's verb for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

_NAMED: Final = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_MANY: Final = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_YES: Final = ("1", "true", "")


@dataclass(frozen=True, slots=True)
class Address:
    """A resource, an object of it, or a subresource of that object."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As tests and RBAC name it: `secrets`, `deployments.apps/status`."""
        named = f"{self.plural}.{self.group}" if self.group else self.plural
        return f"{named}/{self.subresource}" if self.subresource else named


def parse(path: str) -> Address | None:
    """Read `/api/v1/namespaces/x/secrets/y`; None for a path that is no resource's."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[:1] == ["api"]:
        group, rest = "", parts[1:]
    elif parts[:1] == ["apis"] and len(parts) > 1:
        group, rest = parts[1], parts[2:]
    else:
        return None
    if not rest or not rest[0] or len(rest) == 1:
        return None
    version, *rest = rest
    namespace = ""
    # `/namespaces/x` is the namespace itself, and so are its subresources
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:  # noqa: PLR2004
        namespace, rest = rest[1], rest[2:]
    plural, name, *more = [*rest, ""] if len(rest) == 1 else rest
    return Address(group, version, plural, namespace, name, "/".join(more))


def verb_of(method: str, address: Address | None, query: Mapping[str, str]) -> str:
    """Give RBAC's verb; HTTP's for what is no resource, or no verb of one."""
    if address is None:
        return method.lower()
    verb = (_NAMED if address.name else _MANY).get(method, method.lower())
    if verb in {"get", "list"} and query.get("watch", "0") in _YES:
        return "watch"
    return verb
