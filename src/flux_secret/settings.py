"""Flags and environment → settings; the only reader of the environment.

Flags win over the environment (`FLUX_SECRET_GIT_URL` for `--git-url`), the environment over the
defaults. Names and defaults are Flux v1's where it has them (facts: `docs/commands/agent.md`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.duration import parse_duration
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.target import Generation, Source, Target

ENVIRONMENT_PREFIX: Final = "FLUX_SECRET_"
FLUX_SSH_KEY: Final = Path("/etc/fluxd/ssh/identity")
"""Where Flux v1's Deployment, and the walkthrough's, mounts the deploy key."""

_TERMINAL: Final = ("HOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "TERM")


@dataclass(frozen=True, slots=True)
class Flags:
    """What a person typed; None or empty where nothing was given."""

    git_url: str | None = None
    git_branch: str = "master"
    git_path: Sequence[str] = ()
    git_timeout: str = "20s"
    git_ssh_key: Path | None = None
    git_known_hosts: Path | None = None
    git_credentials_file: Path | None = None
    git_ca_file: Path | None = None
    git_gpg_key_import: Sequence[Path] = ()
    git_gpg_passphrase_file: Path | None = None
    store: Sequence[str] = ()
    manifest_generation: bool = False
    generator_env: Sequence[str] = ()
    sync_timeout: str = "1m"
    sync_interval: str = "5m"
    git_poll_interval: str = "5m"
    sync_garbage_collection: bool = False
    adopt_existing: bool = False
    confirm: Sequence[str] = ()
    k8s_default_namespace: str | None = None
    namespace: str = "flux"
    kubeconfig: Path | None = None
    context: str | None = None
    cache_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class GitSettings:
    """How repositories are reached."""

    ssh_key: Path | None
    known_hosts: Path | None
    credentials_file: Path | None
    ca_file: Path | None
    ssh_auth_sock: str | None
    timeout_seconds: float
    cache: Path
    """Bare mirrors: application files and ciphertext, never a value."""


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Which private keys decrypt: files, or else a GnuPG home that keeps its keys."""

    files: tuple[Path, ...]
    passphrase_file: Path | None
    gnupg_home: Path | None
    """The environment's GNUPGHOME (or ~/.gnupg); used only when no file is named."""
    terminal: Mapping[str, str] = field(default_factory=dict)
    """What that home's pinentry needs to find a person's terminal or display."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Which cluster, and where in it our own objects live."""

    kubeconfig: Path | None
    context: str | None
    namespace: str
    adopt_existing: bool
    confirmations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything one agent or one command does."""

    targets: tuple[Target, ...]
    stores: Mapping[StoreName, GitUrl]
    git: GitSettings
    keys: KeySettings
    cluster: ClusterSettings
    sync_interval_seconds: float = 300.0
    git_poll_interval_seconds: float = 300.0
    tool_path: str = os.defpath
    """PATH for git, gpg, kubectl and the generators."""
    proxy_env: Mapping[str, str] = field(default_factory=dict)
    """Proxy variables for git."""
    cluster_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The whole environment, for the API server's address in a pod, and for `exec` plugins of a
    kubeconfig, which read a person's cloud credentials from it as kubectl's do."""

    @classmethod
    def load(cls, flags: Flags, environ: Mapping[str, str] | None = None) -> Settings:
        """Read flags and environment; raise `UsageError` or `ConfigurationError`."""
        environ = os.environ if environ is None else environ
        stores = dict(_stores(flags.store))
        cache = flags.cache_dir or cache_directory(environ)
        return cls(
            targets=tuple(_targets(flags, frozenset(stores), environ)),
            stores=stores,
            git=GitSettings(
                ssh_key=flags.git_ssh_key or (FLUX_SSH_KEY if FLUX_SSH_KEY.is_file() else None),
                known_hosts=flags.git_known_hosts,
                credentials_file=flags.git_credentials_file,
                ca_file=flags.git_ca_file,
                ssh_auth_sock=environ.get("SSH_AUTH_SOCK"),
                timeout_seconds=_seconds("--git-timeout", flags.git_timeout),
                cache=cache,
            ),
            keys=KeySettings(
                files=tuple(flags.git_gpg_key_import),
                passphrase_file=flags.git_gpg_passphrase_file,
                gnupg_home=None if flags.git_gpg_key_import else gnupg_home(environ),
                terminal={name: environ[name] for name in _TERMINAL if name in environ},
            ),
            cluster=ClusterSettings(
                kubeconfig=flags.kubeconfig or _kubeconfig(environ),
                context=flags.context,
                namespace=flags.namespace,
                adopt_existing=flags.adopt_existing,
                confirmations=frozenset(flags.confirm),
            ),
            sync_interval_seconds=_seconds("--sync-interval", flags.sync_interval),
            git_poll_interval_seconds=_seconds("--git-poll-interval", flags.git_poll_interval),
            tool_path=environ.get("PATH", os.defpath),
            proxy_env={
                name: environ[name]
                for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy")
                if name in environ
            },
            cluster_env=dict(environ),
        )


def from_environment(
    options: Mapping[str, bool], environ: Mapping[str, str] | None = None
) -> dict[str, str | list[str]]:
    """Give the options that `FLUX_SECRET_*` sets.

    `options` are Python names → whether the option may be repeated; such a variable holds its
    values separated by blanks.
    """
    environ = os.environ if environ is None else environ
    given: dict[str, str | list[str]] = {}
    for name, repeated in options.items():
        text = environ.get(ENVIRONMENT_PREFIX + name.upper())
        if text is not None:
            given[name] = text.split() if repeated else text
    return given


def cache_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Give `$XDG_CACHE_HOME/flux-secret`, with its default below the home directory."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '/root')}/.cache"
    return Path(base) / "flux-secret"


def tool_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give what a person's own tools need of the environment: only PATH."""
    environ = os.environ if environ is None else environ
    return {"PATH": environ.get("PATH", os.defpath)}


def current_kubeconfig(environ: Mapping[str, str] | None = None) -> Path:
    """Give the kubeconfig that kubectl would use; raise when there is none."""
    found = _kubeconfig(os.environ if environ is None else environ)
    if found is None:
        raise ConfigurationError(
            "there is no current cluster: no KUBECONFIG and no ~/.kube/config",
            remedy="name one: export KUBECONFIG=FILE, or play on --cluster embedded",
        )
    return found


def gnupg_home(environ: Mapping[str, str]) -> Path | None:
    """Give the GnuPG home of the environment, as gpg finds it; None where there is none."""
    home = Path(environ.get("GNUPGHOME") or Path(environ.get("HOME", "/root")) / ".gnupg")
    return home if home.is_dir() else None


def _kubeconfig(environ: Mapping[str, str]) -> Path | None:
    """Give the kubeconfig as kubectl finds it; None means the service account of the pod."""
    named = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if len(named) > 1:
        raise ConfigurationError(
            "KUBECONFIG names several files, which flux-secret does not merge",
            remedy="kubectl config view --flatten > FILE, then --kubeconfig FILE",
        )
    if named:
        return Path(named[0])
    usual = Path(environ.get("HOME", "/root")) / ".kube" / "config"
    return usual if usual.is_file() else None


def _stores(texts: Sequence[str]) -> Iterator[tuple[StoreName, GitUrl]]:
    seen = set()
    for text in texts:
        name, separator, url = text.partition("=")
        if not separator:
            raise UsageError(
                "--store names an address but no store",
                remedy="write --store NAME=URL, as in --store apps=git@host:org/secrets",
            )
        store = StoreName.parse(name)
        if store in seen:
            raise UsageError(f"--store {store} is given twice", remedy="name each store once")
        seen.add(store)
        yield store, GitUrl.parse(url)


def _targets(
    flags: Flags, stores: frozenset[StoreName], environ: Mapping[str, str]
) -> Iterator[Target]:
    if not flags.git_url:
        raise UsageError(
            "no application repository is named", remedy="name it: --git-url git@host:org/repo"
        )
    source = Source(GitUrl.parse(flags.git_url), _branch(flags.git_branch))
    generation = Generation(
        enabled=flags.manifest_generation,
        env=dict(_generator_env(flags.generator_env, environ)),
        timeout_seconds=_seconds("--sync-timeout", flags.sync_timeout),
    )
    paths = [part for text in flags.git_path for part in text.split(",")] or [""]
    for path in dict.fromkeys(map(_git_path, paths)):
        yield Target(
            source=source,
            path=path,
            stores=stores,
            generation=generation,
            prune=flags.sync_garbage_collection,
            default_namespace=flags.k8s_default_namespace or "default",
        )


def _branch(text: str) -> str:
    if not text or text.startswith(("-", "/")) or ".." in text or not text.isprintable():
        raise UsageError(f"{text!r} is not a branch name", remedy="as in --git-branch main")
    return text


def _git_path(text: str) -> str:
    text = text.strip()
    if text.startswith("/"):
        raise UsageError(  # Flux v1's own words, facts/flux-v1.md §1.2
            "subdirectory given as --git-path should not have leading forward slash",
            remedy=f"write --git-path={text.lstrip('/')}",
        )
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts or not text.isprintable():
        raise UsageError(
            f"--git-path {text!r} leads out of the repository", remedy="name a path inside it"
        )
    return "/".join(parts)


def _generator_env(texts: Sequence[str], environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, separator, value = text.partition("=")
        if not name.isidentifier() or not name.isascii():
            raise UsageError(
                f"{name!r} is not a variable's name", remedy="--generator-env NAME or NAME=VALUE"
            )
        if not separator and name not in environ:
            raise UsageError(
                f"--generator-env {name} is not set in the environment",
                remedy=f"give its value: --generator-env {name}=VALUE",
            )
        yield name, value if separator else environ[name]


def _seconds(flag: str, text: str) -> float:
    try:
        return parse_duration(text)
    except UsageError as error:
        raise UsageError(f"{flag}: {error.what}", remedy=error.remedy) from None
