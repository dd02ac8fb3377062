"""A refusal of the API server → one of our errors, which never repeats a value.

What of its words may be repeated is decided in `refusal`. No error has a cause or a context that
holds the answer. An admission webhook may answer with any code (401, 404, 409); it is a refusal of
that one object all the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from shlex import quote
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
from flux_secret.outside.kubernetes.refusal import Refusal, known, refusal

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


class ExpiredError(ObjectError):
    """410: what is asked for was too long ago; a list or a watch starts anew."""

    retryable = True


class AlreadyExistsError(ConflictError):
    """409: an object of that name is there already."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, in words for people."""

    verb: str
    """RBAC's word: get, list, watch, create, update, patch, delete."""
    resource: str
    """`secrets`, `deployments.apps`."""
    namespace: str = ""
    name: str = ""
    account: str = ""
    """`NAMESPACE:NAME` of the service account in whose name it was asked; empty for our own."""

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
        scope = (
            f"-n {quote(self.namespace)} create role" if self.namespace else "create clusterrole"
        )
        verbs = {"patch": "get,create,patch", "watch": "list,watch"}.get(self.verb, self.verb)
        name = f"flux-secret-{self.resource.partition('.')[0]}"
        return (
            f"kubectl {scope} {name} --verb={verbs} --resource={self.resource}, "
            f"and bind it to {'the account' if self.account else 'this agent'} with kubectl create "
            f"{'rolebinding' if self.namespace else 'clusterrolebinding'}"
            f"{f' --serviceaccount={self.account}' if self.account else ''}"
        )


def failure(
    request: Request, code: int, status: Json, sent: Collection[str] = ()
) -> FluxSecretError:
    """Give the error for an answer of HTTP status `code`; `status` is its body, if it was JSON.

    `sent` are the names of the fields of the request's body: those may be repeated.
    """
    if code in _LATER and status is None and not request.may_be_aggregated:
        return UnreachableError(f"{request}: HTTP {code} and no answer of an API server")
    said = refusal(status, request.name, of_secret=request.is_of_secret, sent=sent)
    if not said.refuser and (error := _by_code(request, code, status)):
        return error
    reason = f"({said.reason or f'HTTP {code}'})"
    by = f"refused by {said.refuser} {reason}" if said.refuser else f"refused {reason}"
    return RejectedError(f"{request}: {by}", remedy=_remedy(request, code, said), said=said.words)


def _by_code(request: Request, code: int, status: Json) -> FluxSecretError | None:
    """Give the error that the code alone tells; None for a refusal of what was sent."""
    message = text(status, "message")
    if code == HTTPStatus.UNAUTHORIZED:
        return AccessError(
            f"the API server does not accept this identity (asked to {request})",
            remedy="renew the credentials of the kubeconfig, or name another with --context",
        )
    if code == HTTPStatus.FORBIDDEN and (_RBAC.search(message) or not message):
        return _forbidden(request, message)
    if code == HTTPStatus.GONE:
        return ExpiredError(f"{request}: what it continues is not kept any more")
    if code == HTTPStatus.NOT_FOUND:
        return _not_found(request, status)
    if code == HTTPStatus.CONFLICT or _is_another(status):
        return _conflict(request, known(text(status, "reason")))
    return None


def _forbidden(request: Request, message: str) -> ForbiddenError:
    if not request.account:
        return ForbiddenError(
            f"the API server does not allow this agent to {request}", remedy=request.permission
        )
    namespace, _, name = request.account.partition(":")
    if "cannot impersonate" in message:
        return ForbiddenError(
            f"the API server does not allow this agent to act as service account {name} in "
            f"{namespace}",
            remedy=f"kubectl -n {namespace} create role flux-secret-as-{name} --verb=impersonate "
            f"--resource=serviceaccounts --resource-name={name}, and bind it to this agent with "
            "kubectl create rolebinding",
        )
    return ForbiddenError(
        f"the API server does not allow service account {name} in {namespace} to {request}",
        remedy=request.permission,
    )


def _is_another(status: Json) -> bool:
    """Whether a 422 only says that the object that is there has another uid than the one sent."""
    fields = {text(cause, "field") for cause in items(status, "details", "causes")}
    return fields == {"metadata.uid"}


def _not_found(request: Request, status: Json) -> NotFoundError:
    missing = text(status, "details", "name")
    # compared, since a webhook may have written it
    if text(status, "details", "kind") == "namespaces" and missing == request.namespace != "":
        return NotFoundError(
            f"{request}: the namespace {missing} does not exist",
            remedy=f"add a Namespace manifest, or: kubectl create namespace {quote(missing)}",
            missing_namespace=missing,
        )
    return NotFoundError(f"{request}: not found")


def _conflict(request: Request, reason: str) -> ConflictError:
    if reason == "AlreadyExists":
        return AlreadyExistsError(f"{request}: it exists already")
    return ConflictError(
        f"{request}: it was changed or replaced meanwhile", remedy="the next pass tries again"
    )


def _remedy(request: Request, code: int, said: Refusal) -> str:
    if said.refuser:
        return "ask who looks after it, or change the manifest as it wants it"
    if code in _LATER and not said.is_about_manifest:
        return "the API server could not do it now; the next pass tries again"
    plural = request.resource.partition(".")[0]
    return f"mend the manifest; its fields: kubectl explain {plural}"
