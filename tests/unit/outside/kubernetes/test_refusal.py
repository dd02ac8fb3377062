"""What of an API server's, a policy's or a webhook's words may be repeated."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import ForbiddenError, RejectedError
from flux_secret.model.shown import encodings
from flux_secret.outside.kubernetes.body import Json, names
from flux_secret.outside.kubernetes.failure import Request, failure
from flux_secret.outside.kubernetes.refusal import MAX_MESSAGE, redacted, refusal

SECRET = Request("patch", "secrets", "demo", "s")
DEPLOYMENT = Request("patch", "deployments.apps", "demo", "web")
SENT = {"metadata", "labels", "data", "k", "a.b/c"}
TYPED = "failed to create typed patch object (demo/s; /v1, Kind=Secret): "
POLICY = "secrets \"s\" is forbidden: ValidatingAdmissionPolicy 'echo' with binding 'all' denied "


def status(
    reason: str, message: str, *causes: Json, name: str = "s", kind: str = "secrets"
) -> Json:
    details: Json = {"name": name, "kind": kind, "causes": list(causes)}
    return {"kind": "Status", "reason": reason, "message": message, "details": details}


def forms(value: str) -> Iterator[str]:
    """Give the value as policies and webhooks may write it."""
    yield from (form.decode(errors="replace") for form in encodings(value.encode()))
    yield value[: len(value) // 2 + 1]


@given(
    # letters that no word of ours has twice in a row
    value=st.text("QXZqxz0123456789 \"'`[](){}.:,;=+/%&\\_-", min_size=14, max_size=40),
    code=st.sampled_from([400, 401, 403, 404, 409, 418, 422, 429, 500, 503]),
)
def test_of_a_secret_nothing_is_repeated_wherever_the_server_says_it(value: str, code: int) -> None:
    for form in forms(value):
        cause: Json = {"reason": form, "field": form, "message": form}
        inside: Json = {"reason": "FieldValueInvalid", "field": f"data[{form}]", "message": form}
        deep: Json = {"reason": form, "field": f"metadata.labels.{form}", "message": form}
        for message in (form, f"{POLICY}request: {form}", f"{TYPED}.{form}: expected string",
                        f'unknown field "{form}"', f"cannot patch resource {form}"):  # fmt: skip
            body = status(form, message, cause, inside, deep, name=form, kind="namespaces")
            error = failure(SECRET, code, body, SENT)
            told = "".join(traceback.format_exception(error)) + error.remedy + repr(vars(error))
            assert form not in told or form in words_of_ours()


def words_of_ours() -> str:
    """Give all that is said when the server says nothing."""
    said = []
    for code in (400, 401, 403, 404, 409, 418, 422, 429, 500, 503):
        for message in ("", f"{POLICY}", f"{TYPED}.data: expected string", "cannot patch resource"):
            error = failure(SECRET, code, status("", message), SENT)
            said += traceback.format_exception(error)
            said += [error.remedy, repr(vars(error))]
    return "".join(said)


@pytest.mark.parametrize(
    ("reason", "message", "causes", "words"),
    [  # as Kubernetes 1.34 says it
        ("Invalid", 'Secret "s" is invalid: data: Forbidden: field is immutable when `immutable`…',
         [("FieldValueForbidden", "data")], "data: FieldValueForbidden"),
        ("Invalid", 'Secret "s" is invalid: type: Invalid value: "x/y": field is immutable',
         [("FieldValueInvalid", "type")], "type: FieldValueInvalid"),
        ("Invalid", 'Secret "s" is invalid: data[tls.key]: Required value',
         [("FieldValueRequired", "data[tls.key]")], "data[tls.key]: FieldValueRequired"),
        ("Invalid", 'Secret "s" is invalid: data[k]: Invalid value: "<secret contents redacted>"',
         [("FieldValueInvalid", "data[k]")], "data[k]: FieldValueInvalid"),
        ("Invalid", 'Secret "s" is invalid: data[other]: Invalid value: "hunter2"',
         [("FieldValueInvalid", "data[other]")], "data: FieldValueInvalid"),
        ("Invalid", 'Secret "s" is invalid: metadata.labels: Invalid value: "hunter2 hunter2": a…',
         [("FieldValueInvalid", "metadata.labels")], "metadata.labels: FieldValueInvalid"),
        ("", TYPED + ".data.k: expected string, got &value.valueUnstructured{Value:4242}", [],
         "data[k]: expected string"),
        ("", TYPED + ".immutable: expected boolean, got &{hunter2}", [],
         "immutable: expected boolean"),
        ("", TYPED + ".hunter2: field not declared in schema", [],
         "the object: field not declared in schema"),
        ("", TYPED + ".metadata.labels.a.b/c: expected string, got &{hunter2}", [],
         "metadata.labels: expected string"),
    ],
)  # fmt: skip
def test_of_a_secret_reasons_and_fields_are_told(
    reason: str, message: str, causes: list[tuple[str, str]], words: str
) -> None:
    listed: list[Json] = [{"reason": why, "field": field, "message": "x"} for why, field in causes]
    said = refusal(status(reason, message, *listed), "s", of_secret=True, sent=SENT)
    assert said.words == words


@pytest.mark.parametrize(
    ("message", "who"),
    [
        ('admission webhook "deny.example.org" denied the request: hunter2',
         "the admission webhook deny.example.org"),
        (f"{POLICY}request: hunter2", "the ValidatingAdmissionPolicy echo"),
        ('secrets "s" is forbidden: exceeded quota: few, requested: count/secrets=1',
         "the ResourceQuota few"),
        ('Internal error occurred: failed calling webhook "w.example.org": failed to call webhook',
         "the admission webhook w.example.org, which does not answer"),
        # only where the API server writes it, and not where somebody quotes it
        ('secrets "other" is forbidden: exceeded quota: few,', ""),
        ('hunter2: admission webhook "deny.example.org" denied the request', ""),
    ],
)  # fmt: skip
def test_who_refused_is_named(message: str, who: str) -> None:
    assert refusal(status("Invalid", message), "s", of_secret=True, sent=SENT).refuser == who


@pytest.mark.parametrize("code", [401, 403, 404, 409, 429, 500, 503])
def test_a_webhook_may_answer_with_any_code_and_refuses_one_object(code: int) -> None:
    """A 401 would end the delivery, a 404 would count as deleted, a 409 as a conflict."""
    message = 'admission webhook "w.example.org" denied the request: cannot get resource x'
    error = failure(SECRET, code, status("NotFound", message, kind="namespaces"), SENT)
    assert type(error) is RejectedError
    assert "refused by the admission webhook w.example.org" in error.what


def test_what_the_manifest_does_wrong_is_not_to_be_tried_again_as_it_is() -> None:
    """The API server says 500 for a field of another type."""
    message = TYPED + ".data.k: expected string, got &{hunter2}"
    assert "mend the manifest" in failure(SECRET, 500, status("", message), SENT).remedy
    assert "next pass" in failure(SECRET, 500, status("", "etcdserver: timeout"), SENT).remedy


def test_a_namespace_that_somebody_else_names_is_not_taken_for_ours() -> None:
    missing = status("NotFound", 'namespaces "demo" not found', name="demo", kind="namespaces")
    assert "the namespace demo does not exist" in failure(SECRET, 404, missing).what
    other = status("NotFound", "", name="hunter2", kind="namespaces")
    assert "hunter2" not in failure(SECRET, 404, other).what


@given(value=st.text(min_size=1))
def test_what_stands_in_quotes_is_never_repeated(value: str) -> None:
    quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert redacted(f"a: Invalid value: {quoted}: must be short") == (
        "a: Invalid value: ***: must be short"
    )


@pytest.mark.parametrize(
    "message",
    [
        'Invalid value: "hunter2: with \\" colon": bad',
        "Invalid value: 'hunter2': bad",
        "Invalid value: `hunter2`: bad",
        'Invalid value: "hunter2 that never ends',
        'Invalid value: v1.Foo{Password:"hunter2"}',
        'Invalid value: {"a":"b","hunter2":5}: field is immutable',
        "Invalid value: hunter2: must be between 1 and 65535",
        "Unsupported value: hunter2: supported values: 1, 2",
        "Invalid value: hunter2",
        ".spec.x: expected string, got &value.valueUnstructured{Value:hunter2}",
        ".spec.x: expected map, got &{[hunter2\nhunter2]}",
        'unknown field "hunter2 and a blank"',
    ],
)
def test_quoting_in_other_ways_is_masked_too(message: str) -> None:
    assert "hunter2" not in redacted(message)
    cause: Json = {"reason": "FieldValueInvalid", "field": "spec.x", "message": message}
    error = failure(DEPLOYMENT, 422, status("Invalid", message, cause))
    assert "hunter2" not in error.what + repr(vars(error))
    assert "spec.x" in error.what


def test_what_explains_a_refusal_stays() -> None:
    typed = "failed to create typed patch object (demo/web; apps/v1, Kind=Deployment): "
    wanted = f"{typed}.spec.replicas: expected numeric (int or float), got string"
    assert redacted(wanted) == wanted
    assert redacted("Invalid value: 443000: must be between 1 and 65535, inclusive") == (
        "Invalid value: ***: must be between 1 and 65535, inclusive"
    )


def test_permission_that_is_missing_is_told_from_a_policy() -> None:
    message = 'secrets "s" is forbidden: User "u" cannot patch resource "secrets" in API group ""'
    assert isinstance(failure(SECRET, 403, status("Forbidden", message)), ForbiddenError)


@given(message=st.text())
def test_a_message_is_short_and_printable(message: str) -> None:
    said = redacted(message)
    assert len(said) <= MAX_MESSAGE
    assert all(char.isprintable() for char in said)


def test_the_names_of_a_document_are_its_fields_and_no_value() -> None:
    assert names(b'{"a": {"b": ["c", {"d": 1}]}}') == {"a", "b", "d"}
    assert names(b"hunter2") == frozenset()
