"""The door to git: an address → a bare mirror and a commit; nothing of the repository runs."""

from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.mirror import Mirror

__all__ = ["GitAccess", "Mirror"]
