"""Flags → where the agent listens, and who may ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.listening import Address
from flux_secret.settings.flags import Flags

_MIN_TOKEN: Final = 16  # characters


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where the API and the metrics are."""

    api: Address | None = None
    """None: nobody can ask."""
    metrics: Address | None = None
    """None: with the API."""
    token_file: Path | None = None
    only_key_elsewhere: bool = False
    """Whether every interface is listened on without a token: then whoever asks from elsewhere is
    given the deploy key's public half, which probes ask for, and nothing else."""

    @classmethod
    def load(cls, flags: Flags) -> ListenSettings:
        """Read the flags; raise `UsageError`."""
        api = Address.parse("--listen", flags.listen) if flags.listen else None
        metrics = (
            Address.parse("--listen-metrics", flags.listen_metrics)
            if flags.listen_metrics
            else None
        )
        # Flux v1's default, so Deployments may spell it out, and their probes come from elsewhere
        everywhere = bool(api and api.is_everywhere)
        if api and flags.listen_token_file is None and not (api.is_loopback or everywhere):
            raise UsageError(
                f"--listen {api} can be reached from elsewhere, and anybody could ask there",
                remedy="listen on loopback, which kubectl port-forward and fluxctl reach, or give "
                "--listen-token-file",
            )
        only_key = everywhere and flags.listen_token_file is None
        return cls(api, metrics, flags.listen_token_file, only_key)

    def token(self) -> str | None:
        """Read the token; None where none is asked for."""
        return None if self.token_file is None else read_token(self.token_file)


def read_token(file: Path) -> str:
    """Give the token that a file holds."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(
            f"{file} cannot be read as a token",
            remedy="check that the file is there, and one line of ASCII",
        ) from None
    if len(token) < _MIN_TOKEN:
        raise ConfigurationError(
            f"the token in {file} has fewer than {_MIN_TOKEN} characters",
            remedy="make one: openssl rand -hex 32",
        )
    return token
