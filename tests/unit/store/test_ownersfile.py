"""A store's owners file, as it lies there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError
from flux_secret.model.owners import FOLDER, MAX_FILE, NOBODY, OWNERS_FILE
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.ownersfile import owners_of


def test_without_one_nobody_is_an_owner(tmp_path: Path) -> None:
    assert owners_of(WorkFolder(tmp_path)) is NOBODY


@pytest.mark.parametrize("kind", ["link", "folder", "large"])
def test_what_is_no_file_is_not_taken_for_none(tmp_path: Path, kind: str) -> None:
    (tmp_path / FOLDER).mkdir()
    place = tmp_path / OWNERS_FILE
    if kind == "link":
        place.symlink_to("elsewhere")
    elif kind == "folder":
        place.mkdir()
    else:
        place.write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(ConfigurationError, match=r"owners\.yaml"):
        owners_of(WorkFolder(tmp_path))
