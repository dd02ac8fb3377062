"""`--git-ssh-key-for`: which repository has a deploy key of its own, however it is spelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.errors import UsageError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git import GitAccess
from flux_secret.settings.deploykeys import keys_of

OURS = "git@git.example.org:org/ops.git"


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        (OURS, True),
        ("ssh://git@git.example.org:2222/org/ops", True),
        ("ssh://GIT.example.org/Org/Ops.git", True),
        ("git@git.example.org:org/ops2", False),
        ("git@git.example.org:another/org/ops", False),
        ("git@elsewhere.example.org:org/ops.git", False),
        ("https://git.example.org/org/ops.git", False),
    ],
)
def test_a_repository_is_known_however_it_is_spelt(url: str, is_ours: bool) -> None:
    keys = keys_of([f"{OURS}=/etc/keys/ops", "git@git.example.org:org/x=y=/etc/keys/x"], {})
    access = GitAccess(ssh_key=Path("all"), ssh_keys=keys).of(GitUrl.parse(url))
    assert access.ssh_key == Path("/etc/keys/ops" if is_ours else "all")
    assert keys_of([], {}) == {}


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["git@h:o/r"], "names no repository and its key"),
        ([f"{OURS}="], "names no repository and its key"),
        (["=file"], "names no repository and its key"),
        (["https://h/o/r=file"], "is no address of ssh"),
        (["/srv/git/ops=file"], "is no address of ssh"),
        ([f"{OURS}=a", "git@git.example.org:org/ops=b"], "is given twice"),
        (["git@$(HOST):o/r=file"], "$(HOST)"),
    ],
)
def test_what_is_none_is_refused(texts: list[str], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        keys_of(texts, {})
    assert says in refused.value.what
