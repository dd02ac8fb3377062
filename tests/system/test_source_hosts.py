"""Mirrors over ssh and https: a real sshd, git's own http backend, a host that never answers."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from flux_secret.errors import (
    AccessError,
    ConfigurationError,
    FluxSecretError,
    IntegrityError,
    KeyFileError,
    SourceError,
    UnreachableError,
)
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import GitAccess, Mirror, key_name
from simulators.githosts import (
    HttpsHost,
    SshHost,
    https_host,
    make_key,
    public_half,
    silent_host,
    ssh_host,
)
from simulators.repositories import Repository

PATH = os.environ["PATH"]
LOGIN: Final = "deploy:p%40ss%2Fw%23rd"
PASSWORDS: Final = ("p@ss/w#rd", "p%40ss%2Fw%23rd", "p%40ss/w%23rd")


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository.create(tmp_path_factory.mktemp("hosts") / "ops", {"x.yaml": "a: 1\n"}, "main")


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    with ssh_host(tmp_path_factory.mktemp("ssh") / "host") as host:
        yield host


@pytest.fixture
def https(tmp_path: Path, ops: Repository) -> Iterator[HttpsHost]:
    with https_host(tmp_path / "host", ops.path.parent) as host:
        yield host


async def fetch(url: str, tmp_path: Path, access: GitAccess) -> str:
    return await Mirror(GitUrl.parse(url), tmp_path / "cache", access).fetch("main")


async def refusal(url: str, tmp_path: Path, access: GitAccess) -> FluxSecretError:
    with pytest.raises(FluxSecretError) as raised:
        await fetch(url, tmp_path, access)
    assert raised.value.what.isprintable()
    assert raised.value.remedy
    return raised.value


@pytest.fixture
def key_access(ssh: SshHost, tmp_path: Path) -> GitAccess:
    folder = tmp_path / "it's 100% mine"
    folder.mkdir()
    known = ssh.known_hosts(folder / "known hosts")
    key = folder / "deploy key"
    shutil.copy(ssh.key, key)
    return GitAccess(ssh_key=key, known_hosts=known, path=PATH)


async def test_a_deploy_key_and_a_known_host_fetch(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    assert await fetch(ssh.url(ops.path), tmp_path, key_access) == ops.head


async def test_a_repository_with_a_deploy_key_of_its_own_is_shown_no_other(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    """As on GitHub, where a deploy key opens one repository."""
    url, right, other = ssh.url(ops.path), key_access.ssh_key, make_key(tmp_path / "other")
    assert right is not None
    spelt = GitUrl.parse(f"ssh://somebody@{url.rpartition('@')[2]}.git")
    own = dataclasses.replace(key_access, ssh_key=other, ssh_keys={key_name(spelt): right})
    assert await fetch(url, tmp_path / "a", own) == ops.head
    wrong = dataclasses.replace(key_access, ssh_keys={key_name(spelt): other})
    assert isinstance(await refusal(url, tmp_path / "b", wrong), AccessError)
    elsewhere = GitUrl.parse(url.replace("/ops", "/another"))
    apart = dataclasses.replace(key_access, ssh_keys={key_name(elsewhere): other})
    assert await fetch(url, tmp_path / "c", apart) == ops.head


async def test_the_scp_form_fetches(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    tools = tmp_path / "bin"  # an address of this form names no port
    tools.mkdir()
    (tools / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -p {ssh.port} "$@"\n')
    (tools / "ssh").chmod(0o755)
    access = dataclasses.replace(key_access, path=f"{tools}:{PATH}")

    assert await fetch(ssh.scp_form(ops.path), tmp_path, access) == ops.head


@pytest.mark.parametrize("mend", ["mode", "newline", "windows"])
async def test_a_key_as_secrets_are_mounted_is_usable(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path, mend: str
) -> None:
    key = key_access.ssh_key
    assert key is not None
    text = key.read_bytes()
    if mend == "mode":
        key.chmod(0o644)
    elif mend == "newline":
        key.write_bytes(text.rstrip(b"\n"))
    else:
        key.write_bytes(text.replace(b"\n", b"\r\n"))

    assert await fetch(ssh.url(ops.path), tmp_path, key_access) == ops.head


async def test_an_unknown_host_is_an_error_that_says_how_to_know_it(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    access = dataclasses.replace(key_access, known_hosts=empty)

    error = await refusal(ssh.url(ops.path), tmp_path, access)

    assert isinstance(error, IntegrityError)
    assert "not known" in error.what
    assert f"ssh-keyscan -p {ssh.port} 127.0.0.1" in error.remedy
    assert empty.read_text() == ""


async def test_a_host_with_another_key_is_an_error(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    other = public_half(make_key(tmp_path / "other"))
    access = dataclasses.replace(key_access, known_hosts=ssh.known_hosts(tmp_path / "known", other))

    error = await refusal(ssh.url(ops.path), tmp_path, access)

    assert isinstance(error, IntegrityError)
    assert "not the one that is known" in error.what


async def test_a_key_that_the_host_does_not_know_is_an_access_error(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    access = dataclasses.replace(key_access, ssh_key=make_key(tmp_path / "stranger"))

    error = await refusal(ssh.url(ops.path), tmp_path, access)

    assert isinstance(error, AccessError)
    assert "--git-ssh-key" in error.remedy


@pytest.mark.parametrize("kind", ["missing", "public", "passphrase", "damaged"])
async def test_a_key_file_that_cannot_be_used_is_named(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path, kind: str
) -> None:
    key = tmp_path / "key"
    if kind == "public":
        key = Path(f"{ssh.key}.pub")
    elif kind == "passphrase":
        make_key(key, passphrase="hunter2")
    elif kind == "damaged":
        key.write_text(
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----"
        )

    error = await refusal(ssh.url(ops.path), tmp_path, dataclasses.replace(key_access, ssh_key=key))

    assert isinstance(error, KeyFileError)


async def test_a_known_hosts_file_that_is_not_there_is_named(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    access = dataclasses.replace(key_access, known_hosts=tmp_path / "nope")

    error = await refusal(ssh.url(ops.path), tmp_path, access)

    assert isinstance(error, ConfigurationError)
    assert "--git-known-hosts" in error.what


async def test_a_repository_or_branch_that_the_host_lacks_is_a_source_error(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path
) -> None:
    error = await refusal(ssh.url(ops.path.with_name("nope")), tmp_path, key_access)
    assert isinstance(error, SourceError)
    assert "no repository" in error.what

    mirror = Mirror(GitUrl.parse(ssh.url(ops.path)), tmp_path / "cache", key_access)
    with pytest.raises(SourceError, match="it has main"):
        await mirror.fetch("prod")


async def test_no_setting_of_the_person_reaches_ssh(
    ssh: SshHost, ops: Repository, key_access: GitAccess, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    marker = tmp_path / "ran"
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(f"Host *\n\tProxyCommand touch {marker}\n")
    (home / ".gitconfig").write_text(f"[core]\n\tsshCommand = touch {marker}\n")
    for name, value in {"HOME": str(home), "GIT_SSH_COMMAND": f"touch {marker}",
                        "GIT_SSH": f"{marker}", "GIT_DIR": str(tmp_path)}.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    assert await fetch(ssh.url(ops.path), tmp_path, key_access) == ops.head
    assert not marker.exists()


@pytest.mark.parametrize("url", ["ssh://127.0.0.1:{port}/ops", "https://127.0.0.1:{port}/ops"])
async def test_a_host_that_never_answers_is_given_up(url: str, tmp_path: Path) -> None:
    with silent_host() as host:
        error = await refusal(
            url.format(port=host.port), tmp_path, GitAccess(path=PATH, timeout_seconds=0.5)
        )

        assert isinstance(error, UnreachableError)
        assert "within 0.5 s" in error.what
        assert f":{host.port}" not in running()


def running() -> str:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("scheme", ["ssh", "https"])
async def test_a_host_that_refuses_or_has_no_name_is_unreachable(
    scheme: str, tmp_path: Path
) -> None:
    with silent_host() as host:
        pass  # it is closed again
    access = GitAccess(path=PATH)

    for name in (f"127.0.0.1:{host.port}", "nowhere.invalid"):
        error = await refusal(f"{scheme}://{name}/ops", tmp_path, access)
        assert isinstance(error, UnreachableError)
        assert name in error.what


@pytest.fixture
def watched(tmp_path: Path) -> tuple[str, Path]:
    """A PATH whose git writes down its words, its environment and its files."""
    log, folder = tmp_path / "log", tmp_path / "bin"
    folder.mkdir()
    script = (
        f'#!/bin/sh\n{{ printf "%s\\n" "$@"; env; cat "$HOME/.gitconfig"; }} >> {log}\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    return f"{folder}:{PATH}", log


async def test_credentials_of_a_file_fetch_and_the_file_stays_as_it_is(
    https: HttpsHost, ops: Repository, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    text = f"https://{LOGIN}@127.0.0.1:{https.port}"
    file.write_text(text)
    access = GitAccess(credentials_file=file, ca_file=https.ca_file, path=PATH)

    assert await fetch(https.url("ops"), tmp_path, access) == ops.head
    assert file.read_text() == text


async def test_credentials_of_the_address_are_in_no_argument_environment_or_file(
    https: HttpsHost, ops: Repository, tmp_path: Path, watched: tuple[str, Path]
) -> None:
    path, log = watched
    access = GitAccess(ca_file=https.ca_file, path=path)

    assert await fetch(https.url("ops", "deploy:p@ss%2Fw%23rd"), tmp_path, access) == ops.head

    assert f"https://127.0.0.1:{https.port}/ops" in log.read_text()
    written = [log, *(file for file in (tmp_path / "cache").rglob("*") if file.is_file())]
    for file in written:
        for word in PASSWORDS:
            assert word.encode() not in file.read_bytes()


async def test_a_user_in_the_address_chooses_among_the_credentials_of_the_file(
    https: HttpsHost, ops: Repository, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    host = f"127.0.0.1:{https.port}"
    file.write_text(f"https://somebody:else@{host}\nhttps://{LOGIN}@{host}\n")
    access = GitAccess(credentials_file=file, ca_file=https.ca_file, path=PATH)

    assert await fetch(https.url("ops", "deploy"), tmp_path, access) == ops.head


@pytest.mark.parametrize("login", ["deploy:wr0ng-one", "ghp_t0kenwr0ng-one", ""])
async def test_wrong_or_missing_credentials_are_an_access_error_without_them(
    https: HttpsHost, tmp_path: Path, login: str
) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"https://deploy:wr0ng-two@127.0.0.1:{https.port}\n")
    for access in (
        GitAccess(ca_file=https.ca_file, path=PATH),
        GitAccess(ca_file=https.ca_file, path=PATH, credentials_file=file),
    ):
        error = await refusal(https.url("ops", login), tmp_path, access)

        assert isinstance(error, AccessError)
        assert "wr0ng" not in f"{error!r} {error.what} {error.remedy}"
    assert "wr0ng-two" in file.read_text(), "git would have removed what the host refused"


async def test_a_certificate_of_nobody_we_know_is_refused(https: HttpsHost, tmp_path: Path) -> None:
    error = await refusal(https.url("ops", LOGIN), tmp_path, GitAccess(path=PATH))

    assert isinstance(error, IntegrityError)
    assert "--git-ca-file" in error.remedy
    assert https.asked == []


async def test_a_redirect_is_not_followed(
    https: HttpsHost, ops: Repository, tmp_path: Path
) -> None:
    with https_host(tmp_path / "other", ops.path.parent) as other:
        https.redirect = f"https://127.0.0.1:{other.port}"
        access = GitAccess(ca_file=https.ca_file, path=PATH)

        error = await refusal(https.url("ops", LOGIN), tmp_path, access)

        assert isinstance(error, SourceError)
        assert "redirects" in error.what
        assert other.asked == []


async def test_a_repository_that_https_does_not_have_is_a_source_error(
    https: HttpsHost, tmp_path: Path
) -> None:
    error = await refusal(
        https.url("nope", LOGIN), tmp_path, GitAccess(ca_file=https.ca_file, path=PATH)
    )

    assert isinstance(error, SourceError)


async def test_a_fetch_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    with silent_host() as host:
        url = f"https://127.0.0.1:{host.port}/ops"
        task = asyncio.create_task(fetch(url, tmp_path, GitAccess(path=PATH)))
        await asyncio.to_thread(host.wait_for_a_guest)
        assert f":{host.port}" in running()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert f":{host.port}" not in running()
