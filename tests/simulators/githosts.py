"""Real git hosts on loopback: sshd, https with a password, and one that never answers."""

from __future__ import annotations

import base64
import contextlib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") or "sshd (apt: openssh-server)"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class SshHost:
    """A real sshd that lets one key in."""

    port: int
    key: Path
    host_key: str

    def url(self, repository: Path) -> str:
        user = pwd.getpwuid(os.getuid()).pw_name
        return f"ssh://{user}@{LOOPBACK}:{self.port}{repository}"

    def known_hosts(self, file: Path, host_key: str | None = None) -> Path:
        file.write_text(f"[{LOOPBACK}]:{self.port} {host_key or self.host_key}\n")
        return file


@contextlib.contextmanager
def ssh_host(folder: Path) -> Iterator[SshHost]:
    folder.mkdir()
    key, host_key = make_key(folder / "id"), make_key(folder / "host")
    port = _free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {LOOPBACK}\nHostKey {host_key}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {key}.pub\nStrictModes no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\n"
    )
    with _privilege_separation(), (folder / "log").open("wb") as log:
        sshd = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            _wait_for(port, sshd, folder / "log")
            yield SshHost(port, key, Path(f"{host_key}.pub").read_text().rsplit(maxsplit=1)[0])
        finally:
            sshd.terminate()
            sshd.wait(timeout=10)


def make_key(file: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(file)],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return file


@contextlib.contextmanager
def _privilege_separation() -> Iterator[None]:
    """Make the empty directory that sshd wants when root starts it."""
    folder = Path("/run/sshd")
    missing = os.getuid() == 0 and not folder.exists()
    if missing:
        folder.mkdir(mode=0o755)
    try:
        yield
    finally:
        if missing:
            folder.rmdir()


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
    asked: list[str] = field(default_factory=list)

    def url(self, name: str, login: str = "") -> str:
        return f"https://{login}{'@' if login else ''}{LOOPBACK}:{self.port}/{name}"


@contextlib.contextmanager
def https_host(folder: Path, repositories: Path) -> Iterator[HttpsHost]:
    folder.mkdir()
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate,
         "-addext", f"subjectAltName=IP:{LOOPBACK},DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    host = HttpsHost(0, certificate, repositories)
    server = ThreadingHTTPServer((LOOPBACK, 0), _handler(host))
    server.daemon_threads = True
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    host.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(host: HttpsHost) -> type[BaseHTTPRequestHandler]:
    expected = "Basic " + base64.b64encode(host.login.encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            host.asked.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if host.redirect:
                self.send_response(301)
                self.send_header("Location", host.redirect + self.path)
                self.end_headers()
            elif self.headers.get("Authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
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
            self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 -- http.server's names

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextlib.contextmanager
def silent_host() -> Iterator[int]:
    """Lend a port that accepts connections and never says a word."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen(8)
        yield int(server.getsockname()[1])
