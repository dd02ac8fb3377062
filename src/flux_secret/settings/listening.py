"""Flags → where the agent listens, and who may ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.listening import Address
from flux_secret.outside.reading import read_bounded
from flux_secret.settings.flags import Flags
from flux_secret.settings.targets import seconds

_MIN_TOKEN: Final = 16  # characters
_MAX_TOKEN: Final = 64 * 1024  # bytes


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
    webhook: Address | None = None
    """Where git hosts call; None: nowhere."""
    webhook_secret_file: Path | None = None
    """Set whenever `webhook` is."""
    health: Address | None = None
    """Where probes ask; None: nowhere."""
    unhealthy_after_seconds: float = 900.0

    @classmethod
    def load(cls, flags: Flags) -> ListenSettings:
        """Read the flags; raise `UsageError`."""
        api = _address("--listen", flags.listen)
        metrics = _address("--listen-metrics", flags.listen_metrics)
        # Flux v1's default, so Deployments may spell it out, and their probes come from elsewhere
        everywhere = bool(api and api.is_everywhere)
        if api and flags.listen_token_file is None and not (api.is_loopback or everywhere):
            raise UsageError(
                f"--listen {api} can be reached from elsewhere, and anybody could ask there",
                remedy="listen on loopback, which kubectl port-forward and fluxctl reach, or give "
                "--listen-token-file",
            )
        _check_webhook(flags)
        return cls(
            api,
            metrics,
            flags.listen_token_file,
            only_key_elsewhere=everywhere and flags.listen_token_file is None,
            webhook=_address("--listen-webhook", flags.listen_webhook),
            webhook_secret_file=flags.webhook_secret_file,
            health=_address("--listen-health", flags.listen_health),
            unhealthy_after_seconds=seconds("--unhealthy-after", flags.unhealthy_after),
        )

    def token(self) -> str | None:
        """Read the token; None where none is asked for."""
        return None if self.token_file is None else read_token(self.token_file)


def _address(flag: str, text: str) -> Address | None:
    return Address.parse(flag, text) if text else None


def _check_webhook(flags: Flags) -> None:
    """Refuse half of a webhook: without a secret, whoever calls could have us look for commits."""
    if flags.listen_webhook and flags.webhook_secret_file is None:
        raise UsageError(
            "--listen-webhook has no secret by which to tell who calls",
            remedy="name a file of secrets, one a line: --webhook-secret-file FILE",
        )
    if flags.webhook_secret_file is not None and not flags.listen_webhook:
        raise UsageError(
            "--webhook-secret-file is given, but nothing listens for webhooks",
            remedy="say where to listen, as in --listen-webhook=:9292",
        )


def read_token(file: Path) -> str:
    """Give the token that a file holds."""
    try:
        token = read_bounded(file, _MAX_TOKEN).decode("ascii").strip()
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
