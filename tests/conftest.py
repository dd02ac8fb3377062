"""What every test gets: stable hypothesis runs, and no key, agent or cluster of the person's."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "flux-secret",
    deadline=None,  # two shared cores: a deadline would measure the neighbours
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=60,
)
settings.load_profile("flux-secret")

_PERSONAL = ("GNUPGHOME", "SSH_AUTH_SOCK", "GPG_AGENT_INFO", "PASSWORD_STORE_DIR", "GOPASS_HOMEDIR")


@pytest.fixture(autouse=True)
def _nothing_personal(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in [*_PERSONAL, *(name for name in os.environ if name.startswith("FLUX_SECRET_"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
