"""What a long change has done so far."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.outside.git.progress import PROGRESS, Progress, Step

ONE, TWO = Step("a.gpg", "0" * 40, "w", "1" * 40), Step("b.gpg", "2" * 40, "w", "3" * 40)


def test_steps_are_remembered_until_they_are_committed(tmp_path: Path) -> None:
    Progress(tmp_path).add([ONE])
    Progress(tmp_path).add([TWO])
    assert Progress(tmp_path).steps() == [ONE, TWO]
    Progress(tmp_path).forget(["a.gpg"])
    assert Progress(tmp_path).steps() == [TWO]
    Progress(tmp_path).forget(["b.gpg"])
    assert not Progress(tmp_path).is_there


@pytest.mark.parametrize(
    "torn", [b'["b.gpg", "2', b"\xff\n", b"{}\n", b'["a", "b"]\n', b"[1,2,3,4]\n"]
)
def test_a_line_that_was_being_written_is_passed_over(tmp_path: Path, torn: bytes) -> None:
    Progress(tmp_path).add([ONE])
    with (tmp_path / PROGRESS).open("ab") as file:
        file.write(torn)
    assert Progress(tmp_path).steps() == [ONE]


def test_no_progress_is_no_error(tmp_path: Path) -> None:
    assert Progress(tmp_path).steps() == []
    Progress(tmp_path).forget(["a.gpg"])
