"""The environment → what it sets: options, places, a person's cluster and keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError

ENVIRONMENT_PREFIX: Final = "FLUX_SECRET_"


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
    found = find_kubeconfig(os.environ if environ is None else environ)
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


def age_keys(environ: Mapping[str, str]) -> Path | None:
    """Give the file of age keys as sops finds it; None where there is none.

    Keys that stand in a variable (`SOPS_AGE_KEY`) are not read: an environment is seen by many.
    """
    if named := environ.get("SOPS_AGE_KEY_FILE"):
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '/root')}/.config"
    usual = Path(base) / "sops" / "age" / "keys.txt"
    return usual if usual.is_file() else None


def whole_environment(environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Give the environment that was passed, else this process's own."""
    return os.environ if environ is None else environ


def find_kubeconfig(environ: Mapping[str, str]) -> Path | None:
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
