"""An answer of the API server → its JSON tree or one of our errors, and lists page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from flux_secret.errors import UnreachableError
from flux_secret.outside.kubernetes.body import Json, mapping, names, parse, text
from flux_secret.outside.kubernetes.failure import Request, failure
from flux_secret.outside.kubernetes.transport import Answer, Transport

PAGE: Final = 500  # objects a list request asks for, as kubectl does
_OK: Final = range(200, 300)


def checked(request: Request, answer: Answer, sent: bytes = b"") -> None:
    """Raise our error for an answer that is a refusal; `sent` is the request's body."""
    if answer.code not in _OK:
        request = replace(request, account=answer.account)
        raise failure(request, answer.code, _status(answer), names(sent))


def tree_of(request: Request, answer: Answer, sent: bytes = b"") -> Mapping[str, Json]:
    """Give what was answered; raise our error for a refusal."""
    checked(request, answer, sent)
    return parse(answer.untrusted_body)


def with_query(path: str, **params: str) -> str:
    """Add the parameters that have a value."""
    query = "&".join(f"{name}={quote(value)}" for name, value in params.items() if value)
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


async def pages(
    transport: Transport, request: Request, path: str, accept: str, *, page: int = PAGE
) -> AsyncIterator[Mapping[str, Json]]:
    """Give a list's pages; raise `ExpiredError` when one comes too late."""
    more = ""
    while True:
        asked = with_query(path, limit=str(page), **{"continue": more})
        answer = await transport.send("GET", asked, accept=accept, repeatable=True)
        tree = tree_of(request, answer)
        yield tree
        more = text(mapping(tree, "metadata"), "continue")
        if not more:
            return


def _status(answer: Answer) -> Json:
    """Give the body when it is a `Status`; anything else may be another's words (a proxy's)."""
    try:
        tree = parse(answer.untrusted_body)
    except UnreachableError:
        return None
    return tree if text(tree, "kind") == "Status" else None
