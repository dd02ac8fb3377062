"""GitUrl → a bare mirror and a commit; the git binary, given nothing that it does not need.

Nothing that a repository contains runs: mirrors are bare, hooks, fsmonitor and submodules are off,
and work trees are laid out by `outside.objects` from blobs, not by `git checkout`.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from flux_secret.errors import (
    AccessError,
    FluxSecretError,
    IntegrityError,
    SourceError,
    UnreachableError,
)
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.files import scratch, write_atomic
from flux_secret.outside.process import Limits, ProcessTimeoutError, run

_OID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_SAFE: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "http.followRedirects=initial",
    "credential.helper=",
    "gc.auto=0",
    "safe.directory=*",  # a file:// repository may belong to somebody else; nothing of it runs
)


@dataclass(frozen=True, slots=True)
class GitAccess:
    """How remote repositories are reached; files are read at every use, so they may rotate."""

    ssh_key: Path | None = None
    known_hosts: Path | None = None
    credentials_file: Path | None = None
    ca_file: Path | None = None
    ssh_auth_sock: str | None = None
    """A person's ssh-agent, for the command line; the agent in the cluster has none."""
    timeout_seconds: float = 20.0
    """Limit of each git operation: Flux v1's `--git-timeout`."""
    path: str = os.defpath
    proxies: Mapping[str, str] = field(default_factory=dict)


class Mirror:
    """A bare mirror of one repository, kept between deliveries; several processes may share it."""

    def __init__(self, url: GitUrl, cache: Path, access: GitAccess) -> None:
        self._url = url
        self._access = access
        name = hashlib.sha256(_without_credentials(url.raw).encode()).hexdigest()[:24]
        self.path = cache / "mirrors" / f"{name}.git"

    async def fetch(self, branch: str | None) -> str:
        """Fetch and give the branch's commit; `None` is the remote's default branch.

        Raises `UnreachableError` (host, network, time), `AccessError` (authentication),
        `IntegrityError` (host key) or `SourceError` (no such branch or repository).
        """
        async with self._locked():
            wanted = f"refs/heads/{branch}" if branch else "HEAD"
            try:
                return await self._fetch(wanted)
            except _CorruptMirrorError:
                shutil.rmtree(self.path, ignore_errors=True)
                return await self._fetch(wanted)

    async def remote_head(self, branch: str | None) -> str:
        """Ask the remote for the branch's commit without fetching anything."""
        wanted = f"refs/heads/{branch}" if branch else "HEAD"
        listing = await self._remote("ls-remote", "--exit-code", "--", "{url}", wanted)
        commit = listing.split(maxsplit=1)[0].decode() if listing.strip() else ""
        if not _OID.match(commit):
            raise self._no_branch(wanted)
        return commit

    async def _fetch(self, wanted: str) -> str:
        if not (self.path / "HEAD").is_file():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            await self._local("init", "--quiet", "--bare", "--", str(self.path))
        commit = await self.remote_head(
            wanted.removeprefix("refs/heads/") if wanted != "HEAD" else None
        )
        known = await self._local_or_none("cat-file", "-e", f"{commit}^{{commit}}")
        if known is None:
            await self._remote(
                "fetch", "--quiet", "--no-tags", "--no-auto-maintenance", "--force", "--",
                "{url}", f"{wanted}:refs/flux-secret/{wanted}",
            )  # fmt: skip
            if await self._local_or_none("cat-file", "-e", f"{commit}^{{commit}}") is None:
                # the branch moved between the two questions: take what was fetched
                fetched = await self._local("rev-parse", f"refs/flux-secret/{wanted}^{{commit}}")
                commit = fetched.decode().strip()
        else:
            await self._local("update-ref", f"refs/flux-secret/{wanted}", commit)
        return commit

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the mirror alone, within the git timeout."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self.path.with_suffix(".lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await self._acquire(handle)
            yield
        finally:
            os.close(handle)

    async def _acquire(self, handle: int) -> None:
        deadline = asyncio.get_running_loop().time() + 3 * self._access.timeout_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if asyncio.get_running_loop().time() > deadline:
                    raise UnreachableError(
                        f"the mirror of {self._url} is in use by another process",
                        remedy="wait for it to end, or use another --cache-dir",
                    ) from None
                await asyncio.sleep(0.05)
            else:
                return

    async def _local(self, *arguments: str) -> bytes:
        """Run git on the mirror; a failure means that the mirror is damaged."""
        output = await self._local_or_none(*arguments)
        if output is None:
            raise _CorruptMirrorError(f"the mirror of {self._url} is damaged")
        return output

    async def _local_or_none(self, *arguments: str) -> bytes | None:
        with scratch("git") as home:
            done = await run(
                ["git", *_options(_SAFE), *arguments],
                env=self._env(home),
                cwd=self.path,
                limits=Limits(timeout_seconds=self._access.timeout_seconds),
            )
        return done.untrusted_stdout if done.returncode == 0 else None

    async def _remote(self, *arguments: str) -> bytes:
        """Run git against the remote; `{url}` stands for its address without credentials."""
        with scratch("git") as home:
            settings = [*_SAFE, f"protocol.{self._url.scheme}.allow=always"]
            settings += self._credentials(home)
            address = _without_credentials(self._url.raw)
            argv = ["git", *_options(settings), *(a.replace("{url}", address) for a in arguments)]
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                done = await run(
                    argv,
                    env=self._env(home),
                    cwd=self.path if self.path.is_dir() else self.path.parent,
                    limits=Limits(timeout_seconds=self._access.timeout_seconds),
                )
            except ProcessTimeoutError:
                raise UnreachableError(
                    f"{self._url} did not answer within {self._access.timeout_seconds:g} s",
                    remedy="check the host, or raise --git-timeout",
                ) from None
        if done.returncode != 0:
            raise self._failure(done.untrusted_stderr.decode(errors="replace"), arguments)
        return done.untrusted_stdout

    def _credentials(self, home: Path) -> list[str]:
        """Give git its https credentials in a memory-backed file, never in argv or a config."""
        stores = [self._access.credentials_file] if self._access.credentials_file else []
        if self._url.scheme in {"https", "http"} and "@" in urlsplit(self._url.raw).netloc:
            parts = urlsplit(self._url.raw)
            file = home / "credentials"
            write_atomic(file, f"{parts.scheme}://{parts.netloc}\n".encode())
            stores = [file, *stores]
        settings = [f"credential.helper=store --file={_quoted(store)}" for store in stores]
        if self._access.ca_file:
            settings.append(f"http.sslCAInfo={self._access.ca_file.resolve()}")
        return settings

    def _env(self, home: Path) -> dict[str, str]:
        return {
            "PATH": self._access.path,
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_SSH_COMMAND": self._ssh(home),
            "GIT_SSH_VARIANT": "ssh",
            **({"SSH_AUTH_SOCK": self._access.ssh_auth_sock} if self._access.ssh_auth_sock else {}),
            **self._access.proxies,
        }

    def _ssh(self, home: Path) -> str:
        """Give OpenSSH's command line: pinned hosts, no configuration, no questions."""
        access = self._access
        hosts = access.known_hosts or _usual_known_hosts()
        words = ["ssh", "-F", "/dev/null"]
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(hosts.resolve()) if hosts else "/dev/null",
            "GlobalKnownHostsFile": "/etc/ssh/ssh_known_hosts",
            "UpdateHostKeys": "no",
            "ConnectTimeout": str(max(1, int(access.timeout_seconds))),
            "ForwardAgent": "no",
            "PermitLocalCommand": "no",
        }
        if access.ssh_key:
            # a mounted Secret's file is often readable by a group, which ssh refuses
            key = home / "identity"
            if access.ssh_key.is_file() and not key.exists():
                write_atomic(key, access.ssh_key.read_bytes())
            options |= {"IdentityFile": str(key), "IdentitiesOnly": "yes"}
        words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return " ".join(_quoted(word) for word in words)

    def _failure(self, untrusted_words: str, arguments: Sequence[str]) -> FluxSecretError:
        """Translate git's and ssh's words; what the remote said is shown escaped and masked."""
        words = _shown(untrusted_words, self._url)
        for reason in _REASONS:
            if re.search(reason.words, untrusted_words, re.IGNORECASE):
                return reason.kind(f"{self._url}: {reason.what}", remedy=reason.remedy)
        if arguments[0] == "ls-remote" and not untrusted_words.strip():
            return self._no_branch(arguments[-1])
        return UnreachableError(
            f"{self._url}: git {arguments[0]} failed: {words}",
            remedy="run `git ls-remote` with the same address to see more",
        )

    def _no_branch(self, wanted: str) -> SourceError:
        branch = wanted.removeprefix("refs/heads/")
        return SourceError(
            f"{self._url} has no branch {branch!r}",
            remedy="name one that is there: --git-branch (see `git ls-remote --heads`)",
        )


class _CorruptMirrorError(UnreachableError):
    """Our own copy is damaged; it is made anew once."""


@dataclass(frozen=True, slots=True)
class _Reason:
    """What git's or ssh's words mean, and what helps."""

    words: str
    kind: type[FluxSecretError]
    what: str
    remedy: str


_REASONS: Final = (
    _Reason(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        IntegrityError,
        "the host's key is not the one that is known",
        "find out why before you trust it; then put its new key into --git-known-hosts",
    ),
    _Reason(
        r"Host key verification failed|No \w+ host key is known",
        IntegrityError,
        "the host's key is not known",
        "get it with `ssh-keyscan HOST`, compare its fingerprint with the one the host publishes, "
        "and put it into --git-known-hosts",
    ),
    _Reason(
        r"Permission denied|Authentication failed|could not read (Username|Password)"
        r"|terminal prompts disabled|HTTP Basic: Access denied|error: 40[13]",
        AccessError,
        "the host does not let this key or user in",
        "add the deploy key at the host (--git-ssh-key), or mend --git-credentials-file",
    ),
    _Reason(
        r"Could not resolve host|Name or service not known|Temporary failure in name",
        UnreachableError,
        "the host's name is not known",
        "check the address and the network's name service",
    ),
    _Reason(
        r"Connection (refused|timed out|reset|closed)|Network is unreachable|Failed to connect"
        r"|Couldn't connect|No route to host|Operation timed out",
        UnreachableError,
        "the host does not answer",
        "check the network and the host; it is tried again",
    ),
    _Reason(
        r"SSL certificate problem|certificate verify failed|server certificate verification",
        IntegrityError,
        "the host's certificate is not trusted",
        "name its authority: --git-ca-file",
    ),
    _Reason(
        r"does not appear to be a git repository|Repository not found|repository '.*' not found"
        r"|does not exist|No such file or directory",
        SourceError,
        "there is no repository",
        "check the address",
    ),
)


def _options(settings: Sequence[str]) -> list[str]:
    return [word for setting in settings for word in ("-c", setting)]


def _quoted(word: object) -> str:
    return "'" + str(word).replace("'", "'\\''") + "'"


def _without_credentials(raw: str) -> str:
    """Give the address for argv: an https user and password go through a file instead."""
    if not raw.startswith(("https://", "http://")):
        return raw
    parts = urlsplit(raw)
    return urlunsplit((*parts[:1], parts.netloc.rpartition("@")[2], *parts[2:]))


def _shown(untrusted: str, url: GitUrl) -> str:
    """Give the last lines of what git said, escaped, without credentials."""
    parts = urlsplit(url.raw) if "://" in url.raw else None
    text = untrusted
    for secret in (parts.password, parts.username) if parts and parts.scheme != "ssh" else ():
        if secret:
            text = text.replace(secret, "***").replace(unquote(secret), "***")
    text = re.sub(r"//[^/@\s]*@", "//***@", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()][-3:]
    return "; ".join(lines).encode("unicode_escape").decode()[:500]


def _usual_known_hosts() -> Path | None:
    file = Path("~/.ssh/known_hosts").expanduser()
    return file if file.is_file() else None
