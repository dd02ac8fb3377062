from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import (
    AccessError,
    FluxSecretError,
    ForbiddenError,
    RejectedError,
    UnreachableError,
)
from flux_secret.outside.kubernetes import AlreadyExistsError, ConflictError, NotFoundError
from flux_secret.outside.kubernetes.body import Json
from flux_secret.outside.kubernetes.failure import Request, failure

SECRET = Request("patch", "secrets", "demo", "s")
DEPLOYMENT = Request("patch", "deployments.apps", "demo", "web")


def status(code: int, reason: str, message: str, **details: Json) -> Json:
    return {
        "kind": "Status", "code": code, "reason": reason, "message": message, "details": details,
    }  # fmt: skip


def shown(error: FluxSecretError) -> str:
    return "".join(traceback.format_exception(error)) + error.remedy + repr(vars(error))


@given(value=st.text(min_size=6).filter(lambda text: text.strip() not in shown_words()))
def test_a_secrets_refusal_never_repeats_a_word_of_the_server(value: str) -> None:
    cause: Json = {"reason": "FieldValueInvalid", "field": "data[k]", "message": value}
    body = status(422, "Invalid", f"Secret is {value}", causes=[cause])
    error = failure(SECRET, 422, body, {"data", "k"})
    assert isinstance(error, RejectedError)
    assert value not in shown(error)
    assert "data[k]: FieldValueInvalid" in error.what


def shown_words() -> str:
    empty: Json = {"reason": "FieldValueInvalid", "field": "data[k]", "message": ""}
    return shown(failure(SECRET, 422, status(422, "Invalid", "", causes=[empty]), {"data", "k"}))


def test_a_field_path_that_is_none_is_not_repeated() -> None:
    cause: Json = {"reason": "hunter2!", "field": "data[hunter2 x\n]", "message": "hunter2"}
    error = failure(SECRET, 422, status(422, "hunter2 x", "hunter2", causes=[cause]))
    assert "hunter2" not in shown(error)


def test_the_names_of_unknown_fields_stay() -> None:
    message = 'strict decoding error: unknown field "spec.speck"'
    error = failure(DEPLOYMENT, 400, status(400, "BadRequest", message))
    assert "unknown field spec.speck" in error.what
    message = 'unknown field "stringdata"'
    error = failure(SECRET, 400, status(400, "BadRequest", message), {"stringdata"})
    assert 'unknown field "stringdata"' in error.what
    error = failure(SECRET, 400, status(400, "BadRequest", message), {"data"})
    assert "stringdata" not in error.what, "it was not sent, so it may be a value"


def test_forbidden_names_verb_resource_and_the_command_that_allows_it() -> None:
    message = 'deployments.apps "web" is forbidden: User "u" cannot patch resource "deployments"'
    error = failure(DEPLOYMENT, 403, status(403, "Forbidden", message))
    assert isinstance(error, ForbiddenError)
    assert error.what.endswith("allow this agent to patch deployments.apps/web in demo")
    assert "kubectl -n demo create role" in error.remedy
    assert "--verb=get,create,patch --resource=deployments.apps" in error.remedy


def test_a_403_that_is_not_about_permission_says_what_the_server_said() -> None:
    message = 'pods "x" is forbidden: exceeded quota: small'
    error = failure(DEPLOYMENT, 403, status(403, "Forbidden", message))
    assert isinstance(error, RejectedError)
    assert "exceeded quota" in error.what


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (401, None, AccessError),
        (404, None, NotFoundError),
        (409, status(409, "AlreadyExists", ""), AlreadyExistsError),
        (409, status(409, "Conflict", ""), ConflictError),
        (503, None, UnreachableError),
        (500, status(500, "InternalError", "etcd"), RejectedError),
        (418, None, RejectedError),
    ],
)
def test_codes_become_our_errors(code: int, body: Json, kind: type[FluxSecretError]) -> None:
    assert type(failure(SECRET, code, body)) is kind


def test_a_503_without_a_status_of_an_aggregated_api_is_its_own_failure() -> None:
    request = Request("get", "pods.metrics.k8s.io", "demo", "x")
    assert isinstance(failure(request, 503, None), RejectedError)


def test_another_uid_is_a_conflict_as_the_api_server_says_it_for_server_side_apply() -> None:
    cause: Json = {"reason": "FieldValueInvalid", "field": "metadata.uid", "message": "immutable"}
    error = failure(SECRET, 422, status(422, "Invalid", "", causes=[cause, cause]))
    assert isinstance(error, ConflictError)
