"""A person's environment → the stores they have, and the programs and keys that open them.

Stores are found where gopass and pass find them (facts: gopass §4.1):

1. mounts and the root store of gopass's configuration, below `GOPASS_HOMEDIR`, `XDG_CONFIG_HOME` or
   the home directory;
2. `PASSWORD_STORE_DIR` takes the place of the root store, whatever the configuration says;
3. without a configured root, `~/.password-store`, where both look; gopass's own place only if that
   is there and the other is not.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flux_secret.errors import UsageError
from flux_secret.model.names import StoreName
from flux_secret.outside.gitconfig import read_config, set_config
from flux_secret.settings.age import AgeSettings
from flux_secret.settings.environment import gnupg_home

ROOT: Final = ""
"""The name of the store that entries lie in when no mount's name leads them."""
_GIT: Final = (
    "HOME", "PATH", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "SSH_AGENT_PID",
    "GNUPGHOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "TERM",
    "TMPDIR", "USER", "LOGNAME", "EMAIL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE",
    "GIT_SSH_COMMAND", "GIT_SSH", "GIT_SSH_VARIANT",
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "https_proxy", "HTTPS_PROXY",
    "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY",
)  # fmt: skip
_EDITOR: Final = (
    "HOME", "PATH", "TERM", "COLORTERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "SHELL", "USER",
    "LOGNAME", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TERMINFO", "TERMINFO_DIRS",
)  # fmt: skip
_PINENTRY: Final = ("HOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "TERM")


@dataclass(frozen=True, slots=True)
class PersonSettings:
    """What one person has on their machine."""

    stores: Mapping[str, Path]
    """Mount name → folder; the root store under `ROOT`."""
    gnupg_home: Path
    tool_path: str = os.defpath
    git_env: Mapping[str, str] = field(default_factory=dict)
    """What a person's own git needs: identity, ssh-agent, proxies, signing."""
    editor: str = "vi"
    editor_env: Mapping[str, str] = field(default_factory=dict)
    """What a person's editor needs: a terminal or a screen, a language, their settings."""
    pinentry_env: Mapping[str, str] = field(default_factory=dict)
    """What gpg's pinentry needs to find a terminal or a screen."""
    pushes: bool = True
    """Whether a change is pushed at once: gopass's `core.autopush`. pass never pushes."""
    config: Path = Path("/dev/null")
    """gopass's configuration, where mounts are written."""
    new_stores: Path = Path("/dev/null")
    """The folder where gopass puts new mounts."""
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Mount name → the hash of the recipients that are accepted, for each that gopass checks."""
    age: AgeSettings = field(default_factory=AgeSettings)
    cache: Path = Path("/dev/null")
    """What may be lost: `$XDG_CACHE_HOME/flux-secret`."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> PersonSettings:
        """Read the environment and gopass's configuration; raise `ConfigurationError`."""
        environ = os.environ if environ is None else environ
        home = Path(environ.get("GOPASS_HOMEDIR") or environ.get("HOME") or "/root")
        file = _config_folder(environ) / "gopass" / "config"
        config = read_config(file)
        persons_home = Path(environ.get("HOME") or "/root")
        stores = _stores(config, environ, home)
        return cls(
            stores=stores,
            accepted=_accepted(dict(config), stores),
            gnupg_home=gnupg_home(environ) or persons_home / ".gnupg",
            tool_path=environ.get("PATH", os.defpath),
            git_env={name: environ[name] for name in _GIT if name in environ},
            editor=environ.get("VISUAL") or environ.get("EDITOR") or "vi",
            editor_env={name: environ[name] for name in _EDITOR if name in environ},
            pinentry_env={name: environ[name] for name in _PINENTRY if name in environ},
            pushes=bool(config) and dict(config).get("core.autopush", "true").lower() in _TRUE,
            config=file,
            new_stores=_data_folder(environ, home) / "gopass" / "stores",
            age=AgeSettings.load(file.parent, home, environ),
            cache=Path(environ.get("XDG_CACHE_HOME") or persons_home / ".cache") / "flux-secret",
        )

    def place(self, mount: str, path: Path | None) -> Path:
        """Give the folder of a new store; raise `UsageError` when the mount is taken."""
        if mount:
            StoreName.parse(mount)
        if mount in self.stores and self.stores[mount].exists() and path is None:
            raise UsageError(
                f"{mount or 'the root store'} is there already, in {self.stores[mount]}",
                remedy="mount it under another name",
            )
        if path is not None:
            return path.absolute()
        return self.stores[ROOT] if mount == ROOT else self.new_stores / mount.replace("/", "-")

    def register(self, mount: str, place: Path) -> None:
        """Write a mount where gopass, and every later flux-secret, finds it."""
        if self.stores.get(mount) != place:
            name = f"mounts.{mount}.path" if mount else "mounts.path"
            set_config(self.config, name, str(place))


_TRUE: Final = frozenset({"1", "true", "yes", "on"})


def _config_folder(environ: Mapping[str, str]) -> Path:
    if environ.get("GOPASS_HOMEDIR"):
        return Path(environ["GOPASS_HOMEDIR"]) / ".config"
    return Path(environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME') or '/root'}/.config")


def _stores(
    config: list[tuple[str, str]], environ: Mapping[str, str], home: Path
) -> Mapping[str, Path]:
    stores: dict[str, Path] = {}
    for name, value in config:
        if name == "mounts.path":
            stores[ROOT] = _expanded(value, home)
        elif name.startswith("mounts.") and name.endswith(".path"):
            mount = name.removeprefix("mounts.").removesuffix(".path")
            stores[mount] = _expanded(value, home)
    if environ.get("PASSWORD_STORE_DIR"):
        stores[ROOT] = _expanded(environ["PASSWORD_STORE_DIR"], home)
    if ROOT not in stores:
        usual = home / ".password-store"
        gopass = _data_folder(environ, home) / "gopass" / "stores" / "root"
        stores[ROOT] = gopass if gopass.is_dir() and not usual.is_dir() else usual
    return stores


def _data_folder(environ: Mapping[str, str], home: Path) -> Path:
    data = environ.get("XDG_DATA_HOME") if not environ.get("GOPASS_HOMEDIR") else None
    return Path(data or home / ".local" / "share")


def hash_name(mount: str) -> str:
    """Give the name under which gopass keeps the hash of a store's recipients."""
    return f"recipients.{mount}.hash" if mount else "recipients.hash"


def _accepted(config: Mapping[str, str], stores: Collection[str]) -> Mapping[str, str]:
    everywhere = config.get("recipients.check") == "true"
    checked = (
        mount for mount in stores
        if everywhere or config.get(f"recipients.{mount}.check", "").lower() in _TRUE
    )  # fmt: skip
    return {mount: config.get(hash_name(mount), "") for mount in checked}


def _expanded(text: str, home: Path) -> Path:
    return home / text.removeprefix("~/") if text.startswith("~/") else Path(text)
