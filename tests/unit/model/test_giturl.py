from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.model.giturl import GitUrl

USABLE = [
    ("/srv/git/ops.git", "file", "/srv/git/ops.git"),
    ("/srv/my git/ops", "file", "/srv/my git/ops"),
    ("file:///srv/git/ops", "file", "file:///srv/git/ops"),
    ("ssh://git@host.example:2222/org/repo", "ssh", "ssh://git@host.example:2222/org/repo"),
    ("ssh://host/~me/repo", "ssh", "ssh://host/~me/repo"),
    ("ssh://[::1]:22/repo", "ssh", "ssh://[::1]:22/repo"),
    ("git@host.example:org/repo.git", "ssh", "git@host.example:org/repo.git"),
    ("host:repo", "ssh", "host:repo"),
    ("https://host.example/org/repo.git", "https", "https://host.example/org/repo.git"),
    ("HTTPS://host.example/org/repo", "https", "https://host.example/org/repo"),
    ("http://127.0.0.1:8080/repo", "http", "http://127.0.0.1:8080/repo"),
]


@pytest.mark.parametrize(("text", "scheme", "address"), USABLE)
def test_an_address_of_an_allowed_transport_is_read(text: str, scheme: str, address: str) -> None:
    url = GitUrl.parse(text)

    assert (url.scheme, url.address, str(url)) == (scheme, address, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "./ops",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c x",
        "ext::sh",
        "fd::17",
        "git://host/repo",
        "ftp://host/repo",
        "http://host.example/repo",
        "file://host/repo",
        "file://",
        "ssh://-oProxyCommand=x/repo",
        "ssh://%2doProxyCommand=x/repo",
        "ssh://-l@host/repo",
        "ssh://host:99999/repo",
        "ssh://host:-p/repo",
        "host:-x",
        "-host:repo",
        "host::repo",
        "ssh://user:pass@host/repo",
        "https:///repo",
        "https://host/repo?token=x",
        "https://host\\@evil.example/repo",
        "https://host/a%0ab",
        "https://host/a b",
        "/srv/a\nb",
        "/srv/a\x00b",
        "https://host/\x1b[31m",
        "https://host/\u202egnp",
        "https://host/" + "a" * 3000,
    ],
)
def test_another_transport_an_option_or_a_control_character_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        GitUrl.parse(text)

    assert raised.value.what.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "https://user:s3cret@host/repo",
        "https://s3cret@host/repo",
        "https://user:p@s3cret@host/repo",
        "http://s3cret@127.0.0.1/repo",
    ],
)
def test_credentials_are_kept_apart_from_the_address(text: str) -> None:
    url = GitUrl.parse(text)

    assert url.login is not None
    assert "s3cret" in url.login.reveal().decode()
    assert "s3cret" not in f"{url} {url!r} {url.address}"
    with pytest.raises(TypeError):
        pickle.dumps(url)


def test_a_password_is_encoded_as_git_reads_it() -> None:
    login = GitUrl.parse("https://me:p@ss:w%2Frd@host/repo").login

    assert login is not None
    assert login.reveal() == b"me:p%40ss%3Aw%2Frd"


@pytest.mark.parametrize(
    "text",
    [
        "oauth2:s3cret@host/repo",
        "http://user:s3cret@host.example/repo",
        "ssh://user:s3cret@host/repo",
        "htps://user:s3cret@host/repo",
        "https://user:s3cret/x@host/repo",
        "https://user:s3cret@ho st/repo",
        "https://user:s3cret@host/repo?x",
        "https://host/repo?token=s3cret",
        "https://a@b://user:s3cret@x",
        "user:s3cret@ext::host",
    ],
)
def test_a_refused_address_shows_no_credentials(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        GitUrl.parse(text)

    assert "s3cret" not in raised.value.what


def test_addresses_with_different_credentials_differ_but_can_be_keys() -> None:
    one, other = GitUrl.parse("https://a:b@host/r"), GitUrl.parse("https://a:c@host/r")

    assert one != other
    assert {one: 1, other: 2}[GitUrl.parse("https://a:b@host/r")] == 1


def test_the_folder_of_a_file_address_is_decoded_as_git_does() -> None:
    assert GitUrl.parse("file:///srv/a%20b").path == "/srv/a b"
    assert GitUrl.parse("/srv/a%20b").path == "/srv/a%20b"


@given(st.text() | st.from_regex(r"[a-z+]*:(//)?[^\s]*", fullmatch=True))
@example("https://[::1")
@example("ssh://[]/x")
def test_any_text_gives_an_address_or_our_error(text: str) -> None:
    try:
        url = GitUrl.parse(text)
    except UsageError as error:
        assert error.what.isprintable()
    else:
        assert url.address.isprintable()
        assert not url.address.startswith("-")
        assert GitUrl.parse(url.address).address == url.address
