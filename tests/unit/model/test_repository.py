"""Whichever way a host writes a repository's address, it is the same repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.model.repository import MAX_ADDRESS, is_same_repository, repository_name


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:Org/Repo.git",
        "github.com:org/repo",
        "ssh://git@github.com/org/repo.git",
        "ssh://git@ssh.github.com:443/org/repo.git",
        "git://github.com/org/repo.git",
        "https://github.com/org/repo",
        "https://github.com/org/repo/",
        "https://user:token@github.com/org/repo.git?x=1#y",
        "http://gitea.git.svc.cluster.local:3000/org/repo.git",
        "org/repo",
        " /org/./repo ",
        "https://host/%6Frg/repo",
    ],
)
def test_every_way_of_writing_has_one_name(text: str) -> None:
    assert repository_name(text) == "org/repo"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("file:///srv/git/ops.git", "srv/git/ops"),
        ("/srv/git/ops", "srv/git/ops"),
        ("git@host:ops", "ops"),
        ("https://gitlab.com/group/sub/repo", "group/sub/repo"),
        ("https://host", ""),
        ("", ""),
        ("..", ""),
        ("x" * (MAX_ADDRESS + 1), ""),
    ],
)
def test_other_addresses_have_names_too_or_none(text: str, name: str) -> None:
    assert repository_name(text) == name


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("org/repo", "org/repo", True),
        ("scm/org/repo", "org/repo", True),  # Bitbucket Data Center's https
        ("org/repo", "git/org/repo", True),  # a host below a path
        ("org/repo", "org/other", False),
        ("org/repo", "other-org/repo", False),
        ("repo", "org/repo", False),
        ("repo", "repo", True),
        ("", "", False),
        ("", "org/repo", False),
        ("xorg/repo", "org/repo", False),
    ],
)
def test_whole_parts_from_the_end_decide(one: str, other: str, *, same: bool) -> None:
    assert is_same_repository(one, other) is same
    assert is_same_repository(other, one) is same


@given(st.text(max_size=200))
def test_any_text_has_a_name_and_is_of_one_repository_with_itself(text: str) -> None:
    name = repository_name(text)
    assert name == name.strip("/")
    assert is_same_repository(name, name) is bool(name)
