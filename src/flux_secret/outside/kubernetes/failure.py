"""A refusal of the API server → one of our errors, which never repeats a value.

The API server quotes what it refuses (`Invalid value: "hunter2"`, CVE-2025-23216's class), so:

1. for a `Secret`, only its field paths and the reasons' names are taken over;
2. for any other object, whatever stands in quotes becomes `***`, except field names;
3. no error has a cause or a context that holds the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flux_secret.errors import (
    AccessError,
    FluxSecretError,
    ForbiddenError,
    ObjectError,
    RejectedError,
    UnreachableError,
)
from flux_secret.outside.kubernetes.body import Json, items, text

MAX_MESSAGE: Final = 500  # characters of the API server's words that a person gets to see
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?|`[^`]*`?')
_FIELD: Final = re.compile(r'((?:unknown|duplicate) field) "([A-Za-z0-9_.\[\]/-]{1,200})"')
_PATH: Final = re.compile(r"[A-Za-z0-9_.\[\]/(){}:,*-]{1,200}")
_REASON: Final = re.compile(r"[A-Za-z]{1,64}")
_LATER: Final = frozenset({429, 500, 502, 503, 504})
_RBAC: Final = re.compile(r"\bcannot [a-z*]+ resource\b")


class ConflictError(ObjectError):
    """409: the object is another one, or newer, than the request said."""

    retryable = True


class NotFoundError(ObjectError):
    """404: there is no such object, or no such namespace."""

    def __init__(self, what: str, *, remedy: str = "", missing_namespace: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.missing_namespace = missing_namespace


class AlreadyExistsError(ConflictError):
    """409: an object of that name is there already."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, in words for people."""

    verb: str
    """RBAC's word: get, list, create, update, patch, delete."""
    resource: str
    """`secrets`, `deployments.apps`."""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{f'/{self.name}' if self.name else ''}{where}"

    @property
    def is_of_secret(self) -> bool:
        """Whether the request carries, or asks for, a secret's values."""
        return self.resource == "secrets"

    @property
    def may_be_aggregated(self) -> bool:
        """Whether another server may answer for it (an APIService): its failure is its own."""
        return "." in self.resource.partition(".")[2]

    @property
    def permission(self) -> str:
        """The command that would allow it."""
        scope = f"-n {self.namespace} create role" if self.namespace else "create clusterrole"
        verbs = "get,create,patch" if self.verb == "patch" else self.verb
        name = f"flux-secret-{self.resource.partition('.')[0]}"
        return (
            f"kubectl {scope} {name} --verb={verbs} --resource={self.resource}, "
            f"and bind it to this agent with kubectl create "
            f"{'rolebinding' if self.namespace else 'clusterrolebinding'}"
        )


def failure(request: Request, code: int, status: Json) -> FluxSecretError:
    """Give the error for an answer of HTTP status `code`; `status` is its body, if it was JSON."""
    reason = _named(text(status, "reason")) or f"HTTP {code}"
    message = text(status, "message")
    if code in _LATER and status is None and not request.may_be_aggregated:
        return UnreachableError(f"{request}: HTTP {code} and no answer of an API server")
    if code == HTTPStatus.UNAUTHORIZED:
        return AccessError(
            f"the API server does not accept this identity (asked to {request})",
            remedy="renew the credentials of the kubeconfig, or name another with --context",
        )
    if code == HTTPStatus.FORBIDDEN and (_RBAC.search(message) or not message):
        return ForbiddenError(
            f"the API server does not allow this agent to {request}", remedy=request.permission
        )
    if code == HTTPStatus.NOT_FOUND:
        return _not_found(request, status)
    if code == HTTPStatus.CONFLICT or _is_another(status):
        return _conflict(request, reason)
    return RejectedError(f"{request}: {_said(request, reason, status)}", remedy=_remedy(code))


def _is_another(status: Json) -> bool:
    """Whether a 422 only says that the object that is there has another uid than the one sent."""
    fields = {text(cause, "field") for cause in items(status, "details", "causes")}
    return fields == {"metadata.uid"}


def _not_found(request: Request, status: Json) -> NotFoundError:
    missing = text(status, "details", "name")
    if text(status, "details", "kind") == "namespaces" and missing and missing != request.name:
        return NotFoundError(
            f"{request}: the namespace {missing} does not exist",
            remedy=f"add a Namespace manifest, or: kubectl create namespace {missing}",
            missing_namespace=missing,
        )
    return NotFoundError(f"{request}: not found")


def _conflict(request: Request, reason: str) -> ConflictError:
    if reason == "AlreadyExists":
        return AlreadyExistsError(f"{request}: it exists already")
    return ConflictError(
        f"{request}: it was changed or replaced meanwhile", remedy="the next pass tries again"
    )


def _remedy(code: int) -> str:
    if code in _LATER:
        return "the API server could not do it now; the next pass tries again"
    return "mend the manifest; `kubectl explain KIND` lists its fields"


def _said(request: Request, reason: str, status: Json) -> str:
    message = text(status, "message")
    causes = [
        (path, _named(text(cause, "reason")), text(cause, "message"))
        for cause in items(status, "details", "causes")
        if (path := text(cause, "field")) == "" or _PATH.fullmatch(path)
    ][:5]
    if request.is_of_secret:
        named = "; ".join(f"{path or 'the object'}: {why or reason}" for path, why, _ in causes)
        fields = "; ".join(f'{what} "{field}"' for what, field in _FIELD.findall(message))
        return f"refused ({reason}) {named or fields}".rstrip()
    if causes:
        named = "; ".join(f"{path}: {redacted(said)}".lstrip(": ") for path, _, said in causes)
        return f"refused ({reason}): {named}"[:MAX_MESSAGE]
    return f"refused ({reason}): {redacted(message)}"[:MAX_MESSAGE]


def redacted(message: str) -> str:
    """Replace whatever stands in quotes, except the names of unknown and duplicate fields."""
    kept = _FIELD.sub(r"\1 \2", message[: 8 * MAX_MESSAGE])
    masked = _QUOTED.sub("***", kept)
    return "".join(char if char.isprintable() else " " for char in masked)[:MAX_MESSAGE]


def _named(reason: str) -> str:
    return reason if _REASON.fullmatch(reason) else ""
