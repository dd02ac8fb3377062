"""What a person asks about → an App, an object or an entry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.names import ObjectKey, SecretPath

_KINDS: Final = ("app", "object", "entry")
_SHORT: Final = {
    "cm": "configmap", "deploy": "deployment", "ds": "daemonset", "ns": "namespace",
    "sa": "serviceaccount", "sts": "statefulset", "svc": "service",
}  # fmt: skip
_OBJECTS: Final = frozenset({
    "secret", "configmap", "deployment", "statefulset", "daemonset", "service", "namespace",
    "ingress", "job", "cronjob", "pod", "serviceaccount",
})  # fmt: skip
_WITH_NAMESPACE: Final = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: exactly one of the three is set; all empty: everything of a target."""

    text: str
    app: str = ""
    entry: SecretPath | None = None
    kind: str = ""
    """Of an object, in lower case, perhaps with its group: `deployment.apps`."""
    name: str = ""
    namespace: str = ""

    def is_about(self, key: ObjectKey) -> bool:
        """Whether it names this object."""
        kinds = {key.kind.lower(), f"{key.kind.lower()}.{key.group}"}
        spaces = {"", key.namespace} if key.namespace else {"", self.namespace}
        return bool(self.kind) and (
            self.kind in kinds and self.name == key.name and self.namespace in spaces
        )


def parse_subject(text: str, *, apps: Collection[str], stores: Collection[str]) -> Subject:
    """Read `demo`, `secret/demo-secret`, `dev-demo/secret/demo-secret`, `apps/demo`.

    Known names win, Apps first, then stores, then kinds; `app:`, `object:` and `entry:` before it
    leave nothing to guess. Raises `UsageError`.
    """
    prefix, _, rest = text.partition(":")
    asked = prefix if prefix in _KINDS and rest else ""
    name = rest if asked else text
    if asked == "app" or (not asked and _is_app(name, apps)):
        return Subject(text, app=name)
    parts = name.split("/")
    is_entry = any(name.startswith(f"{store}/") for store in stores)
    is_object = _kind(parts) in _OBJECTS or "." in _kind(parts)
    if asked == "object" or (not asked and is_object and not is_entry):
        return _object(text, parts)
    if asked == "entry" or (not asked and (is_entry or len(parts) > 1)):
        return Subject(text, entry=SecretPath.parse(name))
    raise UsageError(
        f"{ascii(text)[1:-1]} is no App, no KIND/NAME and no STORE/ENTRY that is known here",
        remedy=f"Apps: {', '.join(sorted(apps)) or 'none'}; stores: "
        f"{', '.join(sorted(stores)) or 'none'}; objects: secret/NAME",
    )


def _is_app(name: str, apps: Collection[str]) -> bool:
    return any(name in {app, app.rpartition("/")[2] if _is_plain(app) else app} for app in apps)


def _is_plain(app: str) -> bool:
    """Whether it is `NAMESPACE/NAME`, and not a path with several parts."""
    return app.count("/") == 1


def _kind(parts: list[str]) -> str:
    kind = parts[-2].lower() if len(parts) in {2, _WITH_NAMESPACE} else ""
    whole, dot, group = kind.partition(".")
    whole = _SHORT.get(whole, whole)
    if whole not in _OBJECTS and whole.removesuffix("s") in _OBJECTS:
        whole = whole.removesuffix("s")
    return f"{whole}{dot}{group}"


def _object(text: str, parts: list[str]) -> Subject:
    if len(parts) not in {2, _WITH_NAMESPACE} or not all(parts):
        raise UsageError(
            f"{ascii(text)[1:-1]} names no object", remedy="write KIND/NAME or NAMESPACE/KIND/NAME"
        )
    namespace = parts[0] if len(parts) == _WITH_NAMESPACE else ""
    return Subject(text, kind=_kind(parts), name=parts[-1], namespace=namespace)
