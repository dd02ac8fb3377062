"""An authentic call → what has happened, and to which repositories; nothing else of it is used."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from flux_secret.api.webhook.hosts import Host
from flux_secret.model.repository import repository_name

_FORM: Final = "application/x-www-form-urlencoded"
_ADDRESSES: Final = (
    "full_name", "path_with_namespace", "clone_url", "ssh_url", "git_url", "html_url", "url",
    "git_http_url", "git_ssh_url", "homepage",
)  # fmt: skip
_MAX_LINKS: Final = 16
_MAX_CHANGES: Final = 100
_TAG: Final = "refs/tags/"


class Event(enum.Enum):
    """What a call says."""

    PUSH = "push"
    PING = "ping"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Call:
    """What is used of a call."""

    event: Event
    names: frozenset[str] = frozenset()
    """What may be the repository's name, in every way that the host writes it."""


def payload(host: Host, content_type: str, body: bytes) -> tuple[bytes, bytes]:
    """Give what is signed, and the JSON; raise `ValueError` for a form that is none.

    A form, GitHub's default, holds the JSON in its field `payload`.
    """
    if content_type.partition(";")[0].strip().lower() != _FORM:
        return body, body
    fields = parse_qs(body.decode("utf-8"), strict_parsing=True, max_num_fields=10)
    inner = fields.get("payload", [""])[0].encode()
    return (inner if host.signs_payload else body), inner


def call_of(host: Host, headers: Mapping[str, str], untrusted_json: bytes) -> Call:
    """Read a call; raise `ValueError` or `RecursionError` for what is no JSON object."""
    said = next((headers[name] for name in host.events if name in headers), "")
    if said in host.pings:
        return Call(Event.PING)
    if not host.events:  # whatever its body says, all is looked at
        return Call(Event.PUSH)
    if said not in host.pushes:
        return Call(Event.OTHER)
    tree = json.loads(untrusted_json)
    if not isinstance(tree, dict):
        raise ValueError("no object")  # noqa: TRY004 -- what json says of other bodies, too
    names = frozenset(filter(None, map(repository_name, _addresses(tree))))
    return Call(Event.PUSH if names and not _is_of_tags(tree) else Event.OTHER, names)


def _addresses(tree: Mapping[str, Any]) -> Iterator[str]:
    for key in ("repository", "project"):
        one = tree.get(key)
        if isinstance(one, dict):
            found = [one.get(name) for name in _ADDRESSES]
            found += [link.get("href") for link in _links(one.get("links"))]
            found.append(_data_center(one))
            yield from (text for text in found if isinstance(text, str))


def _links(links: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 -- any JSON
    """Give Bitbucket's: each is an object, or a list of them."""
    for link in list(links.values())[:_MAX_LINKS] if isinstance(links, dict) else []:
        several = link if isinstance(link, list) else [link]
        yield from (one for one in several[:_MAX_LINKS] if isinstance(one, dict))


def _data_center(repository: Mapping[str, Any]) -> str | None:
    """Give `PROJECT/slug`: Bitbucket Data Center writes no address unless it is asked to."""
    project, slug = repository.get("project"), repository.get("slug")
    key = project.get("key") if isinstance(project, dict) else None
    return f"{key}/{slug}" if isinstance(key, str) and isinstance(slug, str) else None


def _is_of_tags(tree: Mapping[str, Any]) -> bool:
    """Whether only tags were pushed: the agent pushes one itself after it has delivered."""
    refs = [tree.get("ref")]
    push = tree.get("push")
    changes = push.get("changes") if isinstance(push, dict) else tree.get("changes")
    if isinstance(changes, list):
        refs = [_ref(one) for one in changes[:_MAX_CHANGES] if isinstance(one, dict)]
    return bool(refs) and all(isinstance(ref, str) and ref.startswith(_TAG) for ref in refs)


def _ref(change: Mapping[str, Any]) -> str | None:
    """Give what a change of Bitbucket's is about, as git writes it."""
    about = change.get("new") or change.get("old") or change.get("ref")
    kind = about.get("type") if isinstance(about, dict) else None
    return _TAG if isinstance(kind, str) and kind.lower() == "tag" else None
