from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import UsageError
from flux_secret.outside.git.refs import listed, ref_of

A, B = "a" * 40, "b" * 40


def test_no_branch_is_the_default_one() -> None:
    assert ref_of(None) == "HEAD"
    assert ref_of("release/1.2") == "refs/heads/release/1.2"


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=x", "a b", "a\nb", "a..b", "a:b", "+a*", "a^", "a~1", "a@{1}", "/a",
     "a/", "a.lock", ".a", "a/.b", "a//b", "a\\b", "@", "a\x1b", "a\u202eb", "a" * 300, "\udcff"],
)  # fmt: skip
def test_what_git_would_not_take_for_a_branch_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        ref_of(name)

    assert raised.value.what.isprintable()


def test_a_branch_is_not_mistaken_for_one_whose_name_ends_like_it() -> None:
    refs = listed(f"{A}\trefs/heads/x/refs/heads/main\n{B}\trefs/heads/main\n".encode())

    assert refs[ref_of("main")] == B


@given(st.binary())
def test_any_listing_gives_object_ids_only(untrusted: bytes) -> None:
    assert all(len(name) in {40, 64} for name in listed(untrusted).values())
