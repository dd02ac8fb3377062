"""A statement has one form only: whatever else is read is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import IntegrityError
from flux_secret.model.approval import MAX_APPROVAL, REFS, Approval, Purpose, State, Statement

FIRST = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
OLD = State("1" * 40, "a" * 64)
NEW = State("2" * 40, "b" * 64)
CHANGE = Statement(Purpose.CHANGE, FIRST, "demo/prod", OLD, NEW)
SIGNATURE = b"-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n"


def test_these_bytes_are_signed() -> None:
    assert (
        CHANGE.encode()
        == (
            f"flux-secret-approval v1\npurpose: change\nstore: {FIRST}\nprefix: /demo/prod\n"
            f"old: {'a' * 64}\nnew: {'b' * 64}\nold-commit: {'1' * 40}\nnew-commit: {'2' * 40}\n"
        ).encode()
    )


@pytest.mark.parametrize(
    "statement",
    [
        CHANGE,
        Statement(Purpose.CHANGE, FIRST, "", None, NEW),
        Statement(Purpose.REWIND, FIRST, "größe/ä b", OLD, NEW),
    ],
)
def test_what_is_written_is_read(statement: Statement) -> None:
    approval = Approval(statement, SIGNATURE)
    assert Approval.parse(approval.encode()) == approval
    assert approval.ref.startswith(REFS)


def test_each_approval_has_a_place_of_its_own() -> None:
    other = Approval(CHANGE, SIGNATURE.replace(b"U1NI", b"U1NJ"))
    assert Approval(CHANGE, SIGNATURE).ref != other.ref
    assert Approval(CHANGE, SIGNATURE).ref.rpartition("/")[0] == other.ref.rpartition("/")[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v1\n", "v2\n"),
        ("purpose: change", "purpose: anything"),
        ("purpose: change", "purpose:  change"),
        ("store: 4", "store: G"),
        ("prefix: /demo", "prefix: demo"),
        ("prefix: /demo", "prefix: //demo"),
        ("prefix: /demo/prod", "prefix: /demo/../prod"),
        ("prefix: /demo/prod", "prefix: /demo/prod/"),
        ("old: a", "new: a"),
        ("new: b", "new: B"),
        (f"old: {'a' * 64}", "old: none"),
        ("new-commit: 2", "more: 1\nnew-commit: 2"),
        ("new-commit: 2", "new-commit: 22"),
        (f"new: {'b' * 64}", "new: none"),
        ("-----BEGIN", "-----begin"),
        ("U1NI", "ü" * MAX_APPROVAL),
    ],
)
def test_any_other_form_is_refused(old: str, new: str) -> None:
    text = Approval(CHANGE, SIGNATURE).encode().decode()
    assert old in text
    with pytest.raises(IntegrityError, match="an approval cannot be read"):
        Approval.parse(text.replace(old, new, 1).encode())


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_any_bytes_give_an_approval_or_our_error(some: bytes, start: int, end: int) -> None:
    text = Approval(CHANGE, SIGNATURE).encode()
    try:
        approval = Approval.parse(text[:start] + some + text[end:])
    except IntegrityError:
        return
    assert Approval.parse(approval.encode()) == approval
