"""Each host's documented headers: where its signature stands, and what has happened.

Every signature is HMAC-SHA256 of the body as it was sent, in hexadecimal. GitLab shows its secret
instead. Gitea and Forgejo sign the payload before they put it into a form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

SHA256: Final = "sha256="


@dataclass(frozen=True, slots=True)
class Host:
    """One kind of git host, by the path that it calls."""

    name: str
    """As metrics and logs have it."""
    signatures: tuple[str, ...]
    """The headers that may hold the signature; the first that is there counts."""
    prefix: str = ""
    """What stands before the hexadecimal digits."""
    shows_secret: bool = False
    """Whether the header holds the secret itself."""
    signs_payload: bool = False
    """Whether a form's payload is signed, and not the form."""
    events: tuple[str, ...] = ()
    """The headers that may say what has happened; none: every call means that something has."""
    pushes: frozenset[str] = frozenset()
    pings: frozenset[str] = frozenset()


GITHUB: Final = Host(
    "github", ("X-Hub-Signature-256",), SHA256,
    events=("X-GitHub-Event",), pushes=frozenset({"push"}), pings=frozenset({"ping"}),
)  # fmt: skip
GITLAB: Final = Host(
    "gitlab", ("X-Gitlab-Token",), shows_secret=True,
    events=("X-Gitlab-Event",), pushes=frozenset({"Push Hook", "System Hook"}),
)  # fmt: skip
GITEA: Final = Host(
    "gitea", ("X-Forgejo-Signature", "X-Gitea-Signature"), signs_payload=True,
    events=("X-Forgejo-Event", "X-Gitea-Event"), pushes=frozenset({"push"}),
)  # fmt: skip
BITBUCKET: Final = Host(  # Cloud, and Data Center, which says refs_changed and tries with a ping
    "bitbucket", ("X-Hub-Signature",), SHA256,
    events=("X-Event-Key",), pushes=frozenset({"repo:push", "repo:refs_changed"}),
    pings=frozenset({"diagnostics:ping"}),
)  # fmt: skip
GENERIC: Final = Host("generic", ("X-Signature",), SHA256)  # as Flux's generic-hmac receiver

HOSTS: Final[Mapping[str, Host]] = MappingProxyType(
    {
        "/hook/github": GITHUB,
        "/hook/gitlab": GITLAB,
        "/hook/gitea": GITEA,
        "/hook/forgejo": GITEA,
        "/hook/bitbucket": BITBUCKET,
        "/hook/generic": GENERIC,
    }
)
