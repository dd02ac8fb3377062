"""A refusal of the API server → those of its words that may be repeated.

The API server quotes what it refuses (`Invalid value: "hunter2"`, CVE-2025-23216's class), and
policies and webhooks write whatever they like: a value cut, in base64, in hexadecimal. So:

1. of a `Secret`, nothing of the message is repeated. Told are reasons from a closed list, fields
   whose names were sent, and the name of who refused it, which the API server itself writes;
2. of any other object, whatever stands in quotes or for a value becomes `***`, except field names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from flux_secret.outside.kubernetes.body import Json, items, text

MAX_MESSAGE: Final = 500  # characters of the API server's words that a person gets to see
_MAX_CAUSES: Final = 5
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?|`[^`]*`?')
_FIELD: Final = re.compile(r'((?:unknown|duplicate) field) "([A-Za-z0-9_.\[\]/-]{1,200})"')
_PATH: Final = re.compile(r"[A-Za-z0-9_.\[\]/(){}:,*-]{1,200}")
# after the quotes are masked: 443000, {***:5}, v1.Foo{A:***}; field.Error (apimachinery) writes
# `TYPE: VALUE: DETAIL`
_VALUE: Final = re.compile(r"((?:Invalid|Unsupported|Duplicate) value: ).*?(?=: |$)")
# &{hunter2}, &value.valueUnstructured{Value:map[string]interface {}{…}} (structured-merge-diff)
_GOT: Final = re.compile(r"(, got )(?!string$|map$|list$|boolean$).*", re.DOTALL)
_TYPED: Final = re.compile(
    r"failed to create typed patch object \([^()]*\): \.([^ :]{1,200}): "
    r"(expected (?:string|map|list|boolean|numeric)|field not declared in schema)"
)
_UNUSABLE: Final = re.compile(r"failed to (?:create typed|convert new) ")
_OF_SECRETS: Final = frozenset(
    {
        "annotations", "data", "immutable", "labels", "metadata", "name", "namespace", "stringData",
        "type", "uid",
        # what types of Secrets must have: core/v1/types.go
        ".dockercfg", ".dockerconfigjson", "kubernetes.io/service-account.name", "password",
        "ssh-privatekey", "tls.crt", "tls.key", "username",
    }
)  # fmt: skip
"""Names that may be repeated, sent or not."""
_HEAD: Final = re.compile(r"([A-Za-z]+)(?:[.\[](.*?)\]?)?\Z")
_NAME: Final = r"([a-z0-9.-]{1,253})"
_REFUSERS: Final = tuple(  # compiled at once: in a worker, every first use is the only one
    (re.compile(pattern), who)
    for pattern, who in (
        (rf'admission webhook "{_NAME}" denied the request', "the admission webhook {}"),
        (
            rf'Internal error occurred: failed calling webhook "{_NAME}"',
            "the admission webhook {}, which does not answer",
        ),
        (rf"ValidatingAdmissionPolicy '{_NAME}' with binding ", "the ValidatingAdmissionPolicy {}"),
        (rf"(?:exceeded|failed) quota: {_NAME}(?:[,:]|$)", "the ResourceQuota {}"),
    )
)
_FORBIDDEN: Final = re.compile(r'[a-z0-9./-]{1,253} "([^"]*)" is forbidden: ')
_REASONS: Final = frozenset(
    {  # apimachinery, meta/v1/types.go: StatusReason and CauseType
        "AlreadyExists", "BadRequest", "Conflict", "Expired", "FieldManagerConflict",
        "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueNotFound",
        "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
        "FieldValueTypeInvalid", "Forbidden", "Gone", "InternalError", "Invalid",
        "MethodNotAllowed", "NotAcceptable", "NotFound", "RequestEntityTooLarge",
        "ResourceVersionTooLarge", "ServerTimeout", "ServiceUnavailable", "StoreReadError",
        "Timeout", "TooManyRequests", "Unauthorized", "UnexpectedServerResponse",
        "UnsupportedMediaType",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """What may be repeated."""

    reason: str
    """From the closed list; empty when it is none of it."""
    refuser: str
    """Who refused it, but for the API server: `the admission webhook x.example.org`."""
    words: str
    """What else is said; of a Secret it is names only."""
    is_about_manifest: bool
    """Whether the API server says 500 for what the manifest does wrong."""


def refusal(status: Json, name: str, *, of_secret: bool, sent: Collection[str]) -> Refusal:
    """Read a `Status` about the object `name`; `sent` are the names of the fields of the body."""
    message = text(status, "message")
    words = "; ".join(_names(status, _OF_SECRETS.union(sent))) if of_secret else _words(status)
    is_about_manifest = _UNUSABLE.match(message) is not None
    return Refusal(known(text(status, "reason")), _refuser(message, name), words, is_about_manifest)


def known(reason: str) -> str:
    """Give a reason of the closed list, or nothing: a webhook may answer with any."""
    return reason if reason in _REASONS else ""


def redacted(message: str) -> str:
    """Replace what stands in quotes or for a value, except the names of unknown fields."""
    kept = _FIELD.sub(r"\1 \2", message[: 8 * MAX_MESSAGE])
    masked = _QUOTED.sub("***", kept)
    masked = _GOT.sub(r"\1***", _VALUE.sub(r"\1***", masked))
    return "".join(char if char.isprintable() else " " for char in masked)[:MAX_MESSAGE]


def _refuser(message: str, name: str) -> str:
    """Say who refused; looked for only where the API server itself writes it."""
    about = _FORBIDDEN.match(message)
    rest = message[about.end() :] if about and about[1] == name else message
    for pattern, who in _REFUSERS:
        if found := pattern.match(rest):
            return who.format(found[1])
    return ""


def _names(status: Json, sent: Collection[str]) -> Iterator[str]:
    """Give reasons and fields, and no other word."""
    causes = [
        f"{_path(text(cause, 'field'), sent) or 'the object'}: {reason}"
        for cause in items(status, "details", "causes")
        if (reason := known(text(cause, "reason")))
    ]
    message = text(status, "message")
    if typed := _TYPED.match(message):
        causes.append(f"{_path(typed[1], sent) or 'the object'}: {typed[2]}")
    for what, field in _FIELD.findall(message):
        if set(field.split(".")) <= set(sent):
            causes.append(f'{what} "{field}"')
    yield from causes[:_MAX_CAUSES]


def _path(untrusted: str, sent: Collection[str]) -> str:
    """Give as much of a field's path as was sent: `data[k]`, `metadata.labels`, or nothing."""
    parts = _HEAD.match(untrusted)
    if parts is None or parts[1] not in sent:
        return ""
    head, rest = parts[1], parts[2] or ""
    if rest in sent:
        return f"{head}.{rest}" if head == "metadata" else f"{head}[{rest}]"
    first = re.split(r"[.\[]", rest, maxsplit=1)[0]
    return f"{head}.{first}" if head == "metadata" and first in sent else head


def _words(status: Json) -> str:
    causes = [
        f"{path}: {redacted(text(cause, 'message'))}".lstrip(": ")
        for cause in items(status, "details", "causes")
        if (path := text(cause, "field")) == "" or _PATH.fullmatch(path)
    ]
    return ("; ".join(causes[:_MAX_CAUSES]) or redacted(text(status, "message")))[:MAX_MESSAGE]
