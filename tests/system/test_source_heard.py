"""A refusal is no outage, in whatever words; silence is one: real sshd, https, git."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flux_secret.errors import AccessError, SourceError, UnreachableError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import GitAccess, LastGood, Mirror, SyncTag, Tagger
from flux_secret.outside.git.failure import UnheardError
from simulators.githosts import HttpsHost, SshHost, https_host, ssh_host
from simulators.repositories import Repository
from simulators.tls import LOOPBACK

PATH = os.environ["PATH"]
LOGIN = "deploy:p%40ss%2Fw%23rd"
SWITCH = "REFUSE"


@pytest.fixture
def ops(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repositories" / "ops", {"x.yaml": "a: 1\n"}, "main")


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshHost]:
    """A host whose own shell refuses, in its own words and with its own code, when told to."""
    switch = tmp_path / SWITCH
    refuse = f"test -e {switch} && echo Heute nicht >&2 && exit $(cat {switch});"
    with ssh_host(tmp_path / "ssh", f"{refuse} eval $SSH_ORIGINAL_COMMAND") as host:
        yield host


@pytest.fixture
def https(tmp_path: Path, ops: Repository) -> Iterator[HttpsHost]:
    with https_host(tmp_path / "https", ops.path.parent) as host:
        yield host


def followed(url: str, access: GitAccess, tmp_path: Path, tag: str | None = None) -> Mirror:
    return Mirror(GitUrl.parse(url), tmp_path / "cache", access, tag=tag)


def ssh_access(ssh: SshHost, tmp_path: Path) -> GitAccess:
    return GitAccess(ssh_key=ssh.key, known_hosts=ssh.known_hosts(tmp_path / "known"), path=PATH)


@pytest.mark.parametrize("code", [1, 3, 128])
async def test_a_host_that_refuses_by_ssh_in_words_of_its_own_is_not_down(
    ssh: SshHost, ops: Repository, tmp_path: Path, code: int
) -> None:
    mirror = followed(ssh.url(ops.path), ssh_access(ssh, tmp_path), tmp_path)
    last_good = LastGood(mirror, allowed=True)
    assert (await last_good.fetch("main")).commit == ops.head
    (tmp_path / SWITCH).write_text(str(code))
    with pytest.raises(SourceError, match="Heute nicht"):
        await last_good.fetch("main")


async def test_a_host_that_says_by_ssh_that_it_cannot_now_is_down(
    ops: Repository, tmp_path: Path
) -> None:
    with ssh_host(tmp_path / "ssh", "echo GitLab: Internal API unreachable >&2; exit 1") as host:
        mirror = followed(host.url(ops.path), ssh_access(host, tmp_path), tmp_path)
        with pytest.raises(UnreachableError, match="it cannot now"):
            await mirror.fetch("main")


@pytest.mark.parametrize(
    ("status", "is_down"), [(418, False), (200, False), (503, True), (408, True)]
)
async def test_an_https_host_is_judged_by_its_status(
    https: HttpsHost, ops: Repository, tmp_path: Path, status: int, *, is_down: bool
) -> None:
    access = GitAccess(ca_file=https.ca_file, path=PATH)
    last_good = LastGood(followed(https.url("ops", LOGIN), access, tmp_path), allowed=True)
    assert (await last_good.fetch("main")).commit == ops.head
    https.status = status
    if is_down:
        assert (await last_good.fetch("main")).outage
    else:
        with pytest.raises(SourceError):
            await last_good.fetch("main")


@contextmanager
def hanging_up() -> Iterator[int]:
    """A port where somebody takes each call and says nothing."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen(8)

        def take() -> None:
            try:
                while True:
                    guest, _ = server.accept()
                    guest.recv(4096)
                    guest.close()
            except OSError:
                return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


async def test_silence_that_git_has_other_words_for_is_an_outage(tmp_path: Path) -> None:
    """git says "Empty reply from server", which is in no list of ours."""
    with hanging_up() as port:
        mirror = followed(f"http://{LOOPBACK}:{port}/ops", GitAccess(path=PATH), tmp_path)
        with pytest.raises(UnheardError, match="heard nothing of it"):
            await mirror.fetch("main")


@pytest.mark.parametrize("words", ["Tags macht hier nur der Chef", "Connection refused by policy"])
@pytest.mark.parametrize("scheme", ["file", "ssh", "https"])
async def test_a_push_that_is_refused_is_no_outage_whatever_is_said(
    request: pytest.FixtureRequest, ops: Repository, tmp_path: Path, scheme: str, words: str
) -> None:
    hook = ops.path / ".git" / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    hook.chmod(0o755)
    ops.git("config", "http.receivepack", "true")
    if scheme == "https":
        https: HttpsHost = request.getfixturevalue("https")
        url, access = https.url("ops", LOGIN), GitAccess(ca_file=https.ca_file, path=PATH)
    elif scheme == "ssh":
        ssh: SshHost = request.getfixturevalue("ssh")
        url, access = ssh.url(ops.path), ssh_access(ssh, tmp_path)
    else:
        url, access = ops.url, GitAccess(path=PATH)
    mirror = followed(url, access, tmp_path, "flux-sync")
    commit = await mirror.fetch("main")
    tag = SyncTag(mirror, "flux-sync", Tagger("a", "b"), gnupg=Path.cwd)  # type: ignore[arg-type]  # not asked
    with pytest.raises(AccessError, match=r"refuses the push: .*pre-receive hook declined"):
        await tag.move(commit)
    assert ops.git("tag", "--list") == ""
