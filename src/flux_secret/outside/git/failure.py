"""git's and ssh's words → an error that says what to do; remote text is shown escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from flux_secret.errors import (
    AccessError,
    FluxSecretError,
    IntegrityError,
    KeyFileError,
    SourceError,
    UnreachableError,
)
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.heard import Heard
from flux_secret.outside.process import MIB

_REFUSED: Final = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)
_ALWAYS: Final = frozenset(  # git says it after whatever the host says
    {
        "fatal: Could not read from remote repository.",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    }
)
_SHOWN_LINES: Final = 3
_SHOWN_CHARACTERS: Final = 500


class UnexplainedError(SourceError):
    """The remote answered, and git failed in words that we do not know."""


class UnheardError(UnreachableError):
    """Git failed in words that we do not know, and nothing was heard of the remote."""


@dataclass(frozen=True, slots=True)
class _Reason:
    """What git's or ssh's words mean, and what helps; both may name `{host}` and others."""

    words: str
    kind: type[FluxSecretError]
    what: str
    remedy: str


# in this order: an unknown host key also says "Could not read from remote repository"
_REASONS: Final = (
    _Reason(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|REVOKED HOST KEY",
        IntegrityError,
        "the host's key is not the one that is known",
        "find out why before you trust it; then put its new key into --git-known-hosts",
    ),
    _Reason(
        r"No \S+ host key is known|Host key verification failed",
        IntegrityError,
        "the host's key is not known",
        "get it with `{keyscan}`, compare its fingerprint (ssh-keygen -lf -) with the one that the "
        "host publishes, and put it into --git-known-hosts",
    ),
    _Reason(
        r'Load key ".*": (?:invalid format|error in libcrypto)',
        KeyFileError,
        "the ssh key is damaged",
        "make a new deploy key, or mend the file of --git-ssh-key",
    ),
    _Reason(
        r"Permission denied(?: \(|, please)|Too many authentication failures"
        r"|Authentication failed|could not read (?:Username|Password)"
        r"|HTTP Basic: Access denied|returned error: 40[13]",
        AccessError,
        "the host does not let this key or user in",
        "add the deploy key at the host (--git-ssh-key), or mend --git-credentials-file",
    ),
    _Reason(
        r"returned error: 30\d|update url base from redirection",
        SourceError,
        "the host redirects to another address, which is not followed",
        "give the address that it redirects to; often it ends in .git",
    ),
    _Reason(
        r"Could not resolve (?:host|proxy)|Name or service not known|Temporary failure in name"
        r"|nodename nor servname",
        UnreachableError,
        "the host's name is not known",
        "check the address and the network's name service",
    ),
    _Reason(
        r"certificate problem|certificate verif|subject name .* does not match"
        r"|SSL: no alternative certificate",
        IntegrityError,
        "the host's certificate is not trusted",
        "name its authority: --git-ca-file",
    ),
    _Reason(
        r"Connection (?:refused|timed out|reset|closed)|Network is unreachable|Failed to connect"
        r"|Couldn't connect|Could not connect|No route to host|Operation timed out"
        r"|hung up unexpectedly|early EOF|GnuTLS recv error|SSL_read|returned error: (?:429|5\d\d)",
        UnreachableError,
        "the host does not answer",
        "check the network and the host; it is tried again",
    ),
    _Reason(
        r"Internal Server Error|Internal API|[Gg]italy|(?:temporarily|currently|[Ss]ervice) "
        r"[Uu]navailable|[Tt]ry again later|under maintenance|rate limit|Too Many Requests",
        UnreachableError,
        "the host says that it cannot now",
        "look at the host's own status page; it is tried again",
    ),
    _Reason(
        r"Unable to negotiate with|no matching (?:host key|cipher|key exchange|MAC)",
        AccessError,
        "ssh and the host have no algorithm in common",
        "let the host offer a newer one; see what it offers: ssh -vv {host}",
    ),
    _Reason(
        r"File too large|File size limit exceeded",
        SourceError,
        "one fetch is larger than {limit} MiB (max_fetch_bytes)",
        "deliver from a repository that holds manifests only",
    ),
    _Reason(
        r"No space left on device|Disk quota exceeded",
        UnreachableError,
        "there is no space left for the mirror",
        "make room, or name another --cache-dir",
    ),
    _Reason(
        r"mismatched algorithms|unknown object format",
        SourceError,
        "the repository names its objects by SHA-256, which flux-secret cannot read",
        "use a repository of git's usual format (SHA-1)",
    ),
    _Reason(
        r"does not appear to be a git repository|[Rr]epository not found|repository '.*' not found",
        SourceError,
        "there is no repository",
        "check the address, and at a host also whether the deploy key may read it",
    ),
)


def failure(
    url: GitUrl, access: GitAccess, command: str, untrusted: str, was_heard: Heard = Heard.NOTHING
) -> FluxSecretError:
    """Say why `git COMMAND` failed; `was_heard` decides where the words are not known."""
    port = f"-p {url.port} " if url.port else ""
    facts = {
        "keyscan": f"ssh-keyscan {port}{url.host}",
        "host": str(url.host),
        "limit": f"{access.max_fetch_bytes / MIB:g}",
    }
    for reason in _REASONS:
        if re.search(reason.words, untrusted):
            return reason.kind(
                f"{url}: {reason.what.format(**facts)}", remedy=reason.remedy.format(**facts)
            )
    words, remedy = shown(untrusted, url), f"see more with: git ls-remote {url}"
    if was_heard is Heard.AN_ANSWER:
        return UnexplainedError(f"{url}: git {command} failed: {words}", remedy=remedy)
    if was_heard is Heard.NOT_NOW:
        return UnreachableError(f"{url}: the host says that it cannot now: {words}", remedy=remedy)
    return UnheardError(f"{url}: git {command} heard nothing of it: {words}", remedy=remedy)


def refused_push(url: GitUrl, untrusted_porcelain: str) -> FluxSecretError | None:
    """Read `git push --porcelain` (git-push(1), OUTPUT): the host's own no; None when it said none.

    A refusal is no outage, in whatever words.
    """
    refused = _REFUSED.search(untrusted_porcelain)
    if refused is None:
        return None
    return AccessError(
        f"{url}: the host refuses the push: {shown(refused[1], url)}",
        remedy="let the deploy key push there: tags may be protected",
    )


def kind_of(untrusted: str) -> type[FluxSecretError] | None:
    """Say what sort of failure git's or ssh's words mean; None when we do not know them."""
    found = (one.kind for one in _REASONS if re.search(one.words, untrusted))
    return next(found, None)


def shown(untrusted: str, url: GitUrl) -> str:
    """Give the last lines of what git said: without credentials, printable, short."""
    text = untrusted
    login = url.login.reveal().decode() if url.login else ""
    for secret in sorted({*login.split(":"), login} - {""}, key=len, reverse=True):
        text = text.replace(secret, "***").replace(unquote(secret), "***")
    text = re.sub(r"//[^/@\s]*@", "//***@", text)
    said = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in said if line not in _ALWAYS] or said
    return ascii("; ".join(lines[-_SHOWN_LINES:]))[1:-1][:_SHOWN_CHARACTERS] or "it said nothing"
