"""A person's environment → where their identities for age are, and what opens gopass's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flux_secret.model.plaintext import Plaintext


@dataclass(frozen=True, slots=True)
class AgeSettings:
    """Where gopass, passage and ssh keep keys that open age messages."""

    gopass: Path = Path("/dev/null")
    """gopass's own file, under a passphrase (facts: gopass §5)."""
    passage: Path = Path("/dev/null")
    """passage's, which is plain."""
    ssh: tuple[Path, ...] = ()
    passphrase: Plaintext | None = None
    """Of any such file; None where it has to be asked for."""

    @classmethod
    def load(cls, gopass: Path, home: Path, environ: Mapping[str, str]) -> AgeSettings:
        """Find the files; `gopass` is the folder of its configuration."""
        folder = Path(environ.get("GOPASS_SSH_DIR") or home / ".ssh")
        passage = environ.get("PASSAGE_IDENTITIES_FILE")
        password = environ.get("GOPASS_AGE_PASSWORD")
        return cls(
            gopass=gopass / "age" / "identities",
            passage=Path(passage or f"{environ.get('HOME') or '/root'}/.passage/identities"),
            ssh=(folder / "id_ed25519", folder / "id_rsa"),
            passphrase=Plaintext(password.encode()) if password else None,
        )
