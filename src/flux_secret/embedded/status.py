"""Every answer that is an error, in the words of the real API server (apimachinery api/errors)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.tree import Tree


@dataclass(frozen=True, slots=True)
class Cause:
    """One of the reasons of an error: which field, and what is wrong with it."""

    reason: str
    message: str
    field: str

    def tree(self) -> Tree:
        """Give its form in a `Status`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


@dataclass(frozen=True, slots=True)
class Details:
    """What an error is about."""

    kind: Kind | None = None
    name: str = ""
    causes: Sequence[Cause] = ()
    by_kind: bool = False
    """Whether the kind is named by its kind, not by its plural."""

    def tree(self) -> Tree:
        """Give its form in a `Status`."""
        tree: Tree = {"name": self.name} if self.name else {}
        if self.kind is not None:
            tree |= {"group": self.kind.group} if self.kind.group else {}
            tree["kind"] = self.kind.kind if self.by_kind else self.kind.plural
        if self.causes:
            tree["causes"] = [cause.tree() for cause in self.causes]
        return tree


_NOTHING: Final = Details()


class StatusError(Exception):
    """An error answer: a `Status` object."""

    def __init__(self, code: int, reason: str, message: str, about: Details = _NOTHING) -> None:
        super().__init__(message)
        self.code = code
        details = about.tree()
        self.tree: Tree = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            **({"details": details} if details else {}),
            "code": code,
        }


def bad_request(message: str) -> StatusError:
    """400: the request cannot be understood."""
    return StatusError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> StatusError:
    """401: no token, or a wrong one."""
    return StatusError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, name: str, why: str) -> StatusError:
    """403."""
    quoted = f'{kind.resource} "{name}" is forbidden' if name else f"{kind.resource} is forbidden"
    message = f"{quoted}: {why}"
    return StatusError(HTTPStatus.FORBIDDEN, "Forbidden", message, Details(kind, name))


def not_found(kind: Kind, name: str) -> StatusError:
    """404: no such object."""
    message = f'{kind.resource} "{name}" not found'
    return StatusError(HTTPStatus.NOT_FOUND, "NotFound", message, Details(kind, name))


NO_SUCH_RESOURCE: Final = "the server could not find the requested resource"


def no_such_resource() -> StatusError:
    """404: no such kind, or no such path."""
    return StatusError(HTTPStatus.NOT_FOUND, "NotFound", NO_SUCH_RESOURCE)


def already_exists(kind: Kind, name: str) -> StatusError:
    """409: a create of what is there."""
    message = f'{kind.resource} "{name}" already exists'
    return StatusError(HTTPStatus.CONFLICT, "AlreadyExists", message, Details(kind, name))


def conflict(kind: Kind, name: str, why: str) -> StatusError:
    """409: not the object that the writer saw."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return StatusError(HTTPStatus.CONFLICT, "Conflict", message, Details(kind, name))


def apply_conflict(message: str, causes: Sequence[Cause]) -> StatusError:
    """409: an apply that would change what another manager owns."""
    return StatusError(HTTPStatus.CONFLICT, "Conflict", message, Details(causes=causes))


def invalid(kind: Kind | None, name: str, causes: Sequence[Cause]) -> StatusError:
    """422: an object that breaks the rules of its kind."""
    problems = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    message = f'{kind.group_kind if kind else ""} "{name}" is invalid'
    message = f"{message}: {listed}" if problems else message
    return StatusError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid",
        message,
        Details(kind, name, causes, by_kind=True),
    )


def gone(message: str) -> StatusError:
    """410: a resourceVersion or a continue token that is too old."""
    return StatusError(HTTPStatus.GONE, "Expired", message)


def method_not_allowed(kind: Kind, verb: str) -> StatusError:
    """405."""
    message = f"{verb} is not supported on resources of kind {kind.resource!r}"
    return StatusError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, Details(kind))


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    """415."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    return StatusError(code, "UnsupportedMediaType", message)


def internal(message: str) -> StatusError:
    """500."""
    code = HTTPStatus.INTERNAL_SERVER_ERROR
    return StatusError(code, "InternalError", f"Internal error occurred: {message}")


def unknown_failure(message: str) -> StatusError:
    """500 of an error that the API server has no words of its own for."""
    error = StatusError(HTTPStatus.INTERNAL_SERVER_ERROR, "", message)
    del error.tree["reason"]
    return error


def unavailable(message: str) -> StatusError:
    """503."""
    code = HTTPStatus.SERVICE_UNAVAILABLE
    return StatusError(code, "ServiceUnavailable", message)
