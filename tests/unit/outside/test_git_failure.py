from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import (
    AccessError,
    FluxSecretError,
    IntegrityError,
    SourceError,
    UnreachableError,
)
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.failure import failure, refused_push
from flux_secret.outside.git.heard import Heard

URL = GitUrl.parse("ssh://git@host.example:2222/org/repo")
LOGIN = GitUrl.parse("https://deploy:p%40ss@host.example/org/repo")
ACCESS = GitAccess()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key ver", IntegrityError),
        ("No ED25519 host key is known for h and you have requested strict", IntegrityError),
        ("Host key verification failed.", IntegrityError),
        ("git@host: Permission denied (publickey).", AccessError),
        ("fatal: could not read Username for 'https://host': terminal prompts", AccessError),
        ("fatal: Authentication failed for 'https://host/'", AccessError),
        ("fatal: unable to access 'x': The requested URL returned error: 403", AccessError),
        ("fatal: unable to access 'x': The requested URL returned error: 502", UnreachableError),
        ("ssh: Could not resolve hostname host: Name or service not known", UnreachableError),
        ("ssh: connect to host h port 22: Connection refused", UnreachableError),
        ("server certificate verification failed. CAfile: none", IntegrityError),
        ("fatal: repository 'https://host/x/' not found", SourceError),
        ("ERROR: Repository not found.\nfatal: Could not read from remote", SourceError),
        ("fatal: write error: File too large", SourceError),
        ("fatal: something new", UnreachableError),
    ],
)
def test_the_words_of_git_have_a_meaning(words: str, kind: type[FluxSecretError]) -> None:
    error = failure(URL, ACCESS, "fetch", words)

    assert isinstance(error, kind)
    assert "host.example" in error.what
    assert error.remedy


def test_an_unknown_host_names_the_command_that_helps() -> None:
    error = failure(URL, ACCESS, "fetch", "No ED25519 host key is known for [host.example]:2222")

    assert "ssh-keyscan -p 2222 host.example" in error.remedy


def test_what_the_remote_says_is_shown_escaped_and_without_credentials() -> None:
    words = "remote: \x1b[31mhi\r\nfatal: no https://deploy:p@ss@host.example/x with p%40ss\u202e"

    error = failure(LOGIN, ACCESS, "fetch", words)

    assert "p@ss" not in error.what
    assert "p%40ss" not in error.what
    assert error.what.isprintable()
    assert "\\x1b[31mhi" in error.what


def test_credentials_that_only_the_host_knows_are_not_shown() -> None:
    error = failure(URL, ACCESS, "fetch", "remote: see https://bot:s3cret@mirror.example/x")

    assert "s3cret" not in error.what
    assert "https://***@mirror.example/x" in error.what


@pytest.mark.parametrize(
    ("was_heard", "kind"),
    [
        (Heard.NOTHING, UnreachableError), (Heard.NOT_NOW, UnreachableError),
        (Heard.AN_ANSWER, SourceError),
    ],
)  # fmt: skip
def test_where_words_are_not_known_it_counts_whether_the_host_answered(
    was_heard: Heard, kind: type[FluxSecretError]
) -> None:
    words = "Heute nicht\nfatal: Could not read from remote repository.\n\nPlease make sure you "
    words += "have the correct access rights\nand the repository exists."
    error = failure(URL, ACCESS, "fetch", words, was_heard)

    assert isinstance(error, kind)
    assert error.what.endswith(": Heute nicht"), "what git always says is left out"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("!\tabc:refs/tags/t\t[remote rejected] (pre-receive hook declined)", "hook declined"),
        ("!\tabc:refs/tags/t\t[rejected] (stale info)", "stale info"),
        (" \tabc:refs/tags/t\tabc..def", None),
        ("To ssh://host/x\nDone", None),
        ("! remote\nError: !\tx", None),
    ],
)
def test_a_push_is_refused_where_gits_own_list_says_so(line: str, says: str | None) -> None:
    error = refused_push(URL, f"To ssh://host/x\n{line}\nDone\n")

    assert (error is None) is (says is None)
    if error is not None and says is not None:
        assert isinstance(error, AccessError)
        assert says in error.what


@given(st.text())
def test_any_words_give_an_error_that_can_be_printed(words: str) -> None:
    error = failure(LOGIN, ACCESS, "fetch", words)

    assert error.what.isprintable()
    assert len(error.what) < 1000
