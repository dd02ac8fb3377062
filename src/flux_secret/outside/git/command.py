"""Words for git → its output; git gets the settings, the environment and the files named here.

1. Settings that keep a repository from running anything stand on the command line, where nothing
   else can overrule them.
2. What is private (credentials) stands in files of a memory-backed HOME that is gone afterwards:
   never in argv, nor in the mirror's own configuration.
3. The transport of the address is the only one allowed, and no redirect is followed: one could lead
   to another host.

Objects are not checked by fsck when they are fetched (`transfer.fsckObjects` stays off). It refuses
old but harmless commits (zero-padded modes, odd time zones) that people cannot mend, and protects
work trees that git lays out, where ours come from `outside.worktree`, which checks each name.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from flux_secret.errors import FluxSecretError, UnreachableError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.files import scratch, write_atomic
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.failure import failure, refused_push
from flux_secret.outside.git.heard import Heard, heard, noting_http, noting_ssh
from flux_secret.outside.git.person import BLOCK, LIMITED
from flux_secret.outside.git.ssh import readable, ssh_command
from flux_secret.outside.process import (
    CommandNotFoundError,
    Completed,
    Limits,
    ProcessTimeoutError,
    run,
)

_SAFE: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",  # always one pack, so that its size can be limited
    "transfer.fsckObjects=false",  # see above
    "transfer.bundleURI=false",
    "core.bigFileThreshold=16m",  # larger blobs are streamed, not held in memory
    "http.followRedirects=false",
    "gc.auto=0",  # the mirror says when
    "push.gpgSign=false",
    "push.followTags=false",
    "gpg.ssh.program=/bin/false",  # only OpenPGP signatures count
    "gpg.x509.program=/bin/false",
    "advice.defaultBranchName=false",
)
# what `git push --porcelain` says of a ref that somebody else has moved meanwhile
_MOVED: Final = ("(stale info)", "(fetch first)", "(non-fast-forward)", "cannot lock ref",
                 "failed to update ref", "(incorrect old value provided)")  # fmt: skip


class Git:
    """Runs git for one repository."""

    def __init__(self, url: GitUrl, access: GitAccess) -> None:
        self._url = url
        self._access = access.of(url)

    async def ask(self, *arguments: str) -> bytes:
        """Run a command that needs no mirror, such as `ls-remote`."""
        return await self._checked(None, arguments, self._access.timeout_seconds)

    async def fetch(
        self, mirror: Path, *refspecs: str, seconds: float, prune: bool = False
    ) -> None:
        """Fetch these refs into a mirror; submodules and everything else stay away.

        `prune`: remove those of them that the remote has no more.
        """
        pruned = ("--prune",) if prune else ()
        await self._checked(
            mirror,
            (
                "fetch", "--quiet", "--force", "--no-tags", "--no-auto-maintenance",
                "--no-write-fetch-head", "--no-recurse-submodules", *pruned, "--",
                self._url.address, *refspecs,
            ),
            seconds,
        )  # fmt: skip

    async def push(self, mirror: Path, refspec: str) -> None:
        """Push one ref, whatever it was; nothing else leaves."""
        words = ("push", "--porcelain", "--quiet", "--force", "--no-follow-tags", "--no-verify")
        address = self._url.address
        await self._checked(mirror, (*words, "--", address, refspec), self._access.timeout_seconds)

    async def push_onto(self, mirror: Path, commit: str, ref: str, expected: str | None) -> bool:
        """Push a commit to a ref that is still at `expected`, None for no such ref.

        False when the ref is elsewhere by now; nothing was pushed then.
        """
        words = ("push", "--porcelain", "--quiet", "--no-follow-tags", "--no-verify")
        lease = f"--force-with-lease={ref}:{expected or ''}"
        arguments = (*words, lease, "--", self._url.address, f"{commit}:{ref}")
        try:
            done, was_heard = await self._run(mirror, arguments, self._access.timeout_seconds)
        except ProcessTimeoutError:
            raise self._silent(self._access.timeout_seconds) from None
        if done.returncode == 0:
            return True
        told = done.untrusted_stdout.decode(errors="replace")
        if any(word in told for word in _MOVED):
            return False
        raise self._failed("push", done, was_heard)

    async def local(
        self,
        mirror: Path,
        *arguments: str,
        seconds: float = 0,
        stdin: bytes = b"",
        gnupg: Path | None = None,
    ) -> bytes | None:
        """Run a command on a mirror; None when it says no. `gnupg` holds the keys for gpg."""
        limit = seconds or self._access.timeout_seconds
        try:
            done, _ = await self._run(mirror, arguments, limit, stdin=stdin, gnupg=gnupg)
        except ProcessTimeoutError as error:
            raise UnreachableError(
                f"git {arguments[0]} did not end on the mirror of {self._url}",
                remedy="the machine or its disk is too slow; raise --git-timeout",
            ) from error
        return done.untrusted_stdout if done.returncode == 0 else None

    async def _checked(
        self, mirror: Path | None, arguments: Sequence[str], seconds: float
    ) -> bytes:
        try:
            done, was_heard = await self._run(mirror, arguments, seconds)
        except ProcessTimeoutError:
            raise self._silent(seconds) from None
        if done.returncode != 0:
            raise self._failed(arguments[0], done, was_heard)
        return done.untrusted_stdout

    def _silent(self, seconds: float) -> UnreachableError:
        return UnreachableError(
            f"{self._url} did not answer within {seconds:g} s",
            remedy="check the host and the network, or raise --git-timeout",
        )

    def _failed(self, command: str, done: Completed, was_heard: Heard) -> FluxSecretError:
        words, told = (
            untrusted.decode(errors="replace")
            for untrusted in (done.untrusted_stderr, done.untrusted_stdout)
        )
        if command == "push" and (refused := refused_push(self._url, told)):
            return refused
        return failure(self._url, self._access, command, words, was_heard)

    async def _run(
        self,
        mirror: Path | None,
        arguments: Sequence[str],
        seconds: float,
        *,
        stdin: bytes = b"",
        gnupg: Path | None = None,
    ) -> tuple[Completed, Heard]:
        with scratch("git") as home:
            write_atomic(home / ".gitconfig", "".join(self._settings(home, mirror)).encode())
            argv = [self._program("git"), *([f"--git-dir={mirror}"] if mirror else [])]
            argv += [word for setting in _SAFE for word in ("-c", setting)]
            environment = self._environment(home)
            if gnupg is not None:
                argv += ["-c", "gpg.format=openpgp", "-c", f"gpg.program={self._program('gpg')}"]
                environment["GNUPGHOME"] = str(gnupg)
            if arguments[0] == "fetch":
                blocks = max(1, self._access.max_fetch_bytes // BLOCK)
                argv = [*LIMITED, str(blocks), *argv]
            done = await run(
                [*argv, *arguments],
                env=environment,
                cwd=home,
                stdin=stdin,
                limits=Limits(timeout_seconds=seconds, keep_stderr_tail=True),
            )
            return done, heard(self._url.scheme, home)

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=self._access.path)
        if found is None:
            raise CommandNotFoundError(
                f"the program {name!r} is not there", remedy=f"install {name} or mend PATH"
            )
        return found

    def _environment(self, home: Path) -> dict[str, str]:
        access = self._access
        environment = {
            **access.proxies,
            "PATH": access.path,
            "HOME": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "GIT_CEILING_DIRECTORIES": str(home.parent),  # no repository above HOME is ours
            "GIT_ALLOW_PROTOCOL": self._url.scheme,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
        }
        if self._url.scheme == "ssh":
            command = ssh_command(access, self._program("ssh"), home)
            environment["GIT_SSH_COMMAND"] = noting_ssh(command, home)
            environment["GIT_SSH_VARIANT"] = "ssh"
            if access.ssh_auth_sock:
                environment["SSH_AUTH_SOCK"] = access.ssh_auth_sock
        if self._url.scheme in {"http", "https"}:
            environment |= noting_http(home)
        return environment

    def _settings(self, home: Path, mirror: Path | None) -> Iterator[str]:
        """Give HOME's .gitconfig."""
        yield "[safe]\n"
        for folder in self._folders(mirror):
            yield f"\tdirectory = {_value(folder)}\n"
        if self._url.scheme not in {"https", "http"}:
            return
        if self._access.ca_file:
            readable(self._access.ca_file, "--git-ca-file")
            yield f"[http]\n\tsslCAInfo = {_value(self._access.ca_file.resolve())}\n"
        yield "[credential]\n\thelper = \n"
        credentials = b"".join(self._credentials())
        if credentials:
            # a copy: git itself rewrites the file, and removes from it what a host has refused
            file = home / "credentials"
            write_atomic(file, credentials)
            yield f"\thelper = {_value(f'store --file={shlex.quote(str(file))}')}\n"
        login = self._url.login.reveal() if self._url.login else b""
        if login and b":" not in login:
            yield f"[credential]\n\tusername = {_value(login.decode())}\n"

    def _folders(self, mirror: Path | None) -> Iterator[Path]:
        """Give what may belong to somebody else: git then reads it, and runs nothing of it."""
        if mirror:
            yield mirror
        if self._url.scheme == "file":
            repository = Path(self._url.path)
            yield repository
            yield repository / ".git"

    def _credentials(self) -> Iterator[bytes]:
        if self._url.login and b":" in self._url.login.reveal():
            host = self._url.address.partition("://")[2].partition("/")[0].encode()
            yield (
                self._url.scheme.encode() + b"://" + self._url.login.reveal() + b"@" + host + b"\n"
            )
        if self._access.credentials_file:
            yield readable(self._access.credentials_file, "--git-credentials-file") + b"\n"


def _value(text: object) -> str:
    """Quote for git's configuration format."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
