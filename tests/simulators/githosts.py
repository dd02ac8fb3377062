"""Real git hosts on loopback: sshd, https with a password, and one that never answers."""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from simulators.tls import LOOPBACK, tls_server

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") or "sshd (apt: openssh-server)"


@dataclass(frozen=True)
class SshHost:
    """A real sshd that lets one key in."""

    port: int
    key: Path
    host_key: str

    def url(self, repository: Path) -> str:
        return f"ssh://{_user()}@{LOOPBACK}:{self.port}{repository}"

    def scp_form(self, repository: Path) -> str:
        return f"{_user()}@{LOOPBACK}:{repository}"

    def known_hosts(self, file: Path, host_key: str | None = None) -> Path:
        file.write_text(f"[{LOOPBACK}]:{self.port} {host_key or self.host_key}\n")
        return file


@contextlib.contextmanager
def ssh_host(folder: Path, command: str = "") -> Iterator[SshHost]:
    """Run one; `command` is all that the key may do, as a host's own shell is."""
    folder.mkdir()
    key, host_key = make_key(folder / "id"), make_key(folder / "host")
    if command:
        public = Path(f"{key}.pub")
        public.write_text(f'command="{command}" {public.read_text()}')
    port = _free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {LOOPBACK}\nHostKey {host_key}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {key}.pub\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\n"
    )
    _privilege_separation()
    with (folder / "log").open("wb") as log:
        sshd = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait_for(port, sshd, folder / "log")
            yield SshHost(port, key, public_half(host_key))
        finally:
            sshd.terminate()
            sshd.wait(timeout=10)


def make_key(file: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(file)],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return file


def public_half(key: Path) -> str:
    return Path(f"{key}.pub").read_text().rsplit(maxsplit=1)[0]


def _privilege_separation() -> None:
    """Make the empty directory that sshd wants when root starts it; it stays, as Debian's does."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"sshd did not start: {log.read_text()}")


@dataclass
class HttpsHost:
    """`git http-backend` behind TLS and a password."""

    port: int
    ca_file: Path
    repositories: Path
    login: str = "deploy:p@ss/w#rd"
    redirect: str = ""
    """Where every request is sent instead, when it is set."""
    status: int = 0
    """What every request is answered with, when it is set."""
    asked: list[str] = field(default_factory=list)

    def url(self, name: str, login: str = "") -> str:
        return f"https://{login}{'@' if login else ''}{LOOPBACK}:{self.port}/{name}"


@contextlib.contextmanager
def https_host(folder: Path, repositories: Path) -> Iterator[HttpsHost]:
    host = HttpsHost(0, folder, repositories)
    with tls_server(folder, _handler(host)) as server:
        host.port, host.ca_file = server.port, server.ca_file
        yield host


def _handler(host: HttpsHost) -> type[BaseHTTPRequestHandler]:
    expected = "Basic " + base64.b64encode(host.login.encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            host.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if host.status:
                self._say(host.status, {}, b"Not today")
            elif host.redirect:
                self._say(301, {"Location": host.redirect + self.path})
            elif self.headers.get("Authorization") != expected:
                self._say(401, {"WWW-Authenticate": 'Basic realm="git"'})
            else:
                self._backend(body)

        def _backend(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            done = subprocess.run(
                ["git", "http-backend"],
                env={
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(host.repositories),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_CONFIG_GLOBAL": "/dev/null",
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "REMOTE_USER": "deploy",
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                },
                input=body, capture_output=True, check=True, timeout=30,
            )  # fmt: skip
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            headers.pop("Content-Length", None)
            self._say(int(headers.pop("Status", "200 OK").split()[0]), headers, content)

        def _say(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 -- http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@dataclass(frozen=True)
class SilentHost:
    """A port that accepts connections and never says a word."""

    socket: socket.socket
    port: int

    def wait_for_a_guest(self) -> None:
        assert select.select([self.socket], [], [], 20)[0], "nobody came"


@contextlib.contextmanager
def silent_host() -> Iterator[SilentHost]:
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen(8)  # the kernel accepts; nobody reads
        yield SilentHost(server, int(server.getsockname()[1]))
