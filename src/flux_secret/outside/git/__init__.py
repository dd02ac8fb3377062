"""The door to git: an address → a bare mirror and a commit; nothing of the repository runs."""

from flux_secret.outside.git.access import GitAccess, key_name
from flux_secret.outside.git.ancestry import Ancestry
from flux_secret.outside.git.history import History, SignedCommit
from flux_secret.outside.git.identity import public_identity, ssh_public
from flux_secret.outside.git.lastgood import Fetched, LastGood
from flux_secret.outside.git.mirror import Mirror
from flux_secret.outside.git.synctag import SyncTag, Tagger

__all__ = [
    "Ancestry",
    "Fetched",
    "GitAccess",
    "History",
    "LastGood",
    "Mirror",
    "SignedCommit",
    "SyncTag",
    "Tagger",
    "key_name",
    "public_identity",
    "ssh_public",
]
