from __future__ import annotations

import os
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import FileMode

from flux_secret.errors import SourceError
from flux_secret.outside.objects import Commit, DamagedRepositoryError, Kind

AUTHOR = pygit2.Signature("devops person1", "devops1@example.org", 0, 0)


class Repository:
    """A bare repository with `a/b/c` (a file), `link`, `caf\\xe9` and a submodule."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git = pygit2.init_repository(str(path), bare=True)
        self.file = self.git.create_blob(b"content")
        self.inner = self._tree(("c", self.file, FileMode.BLOB))
        self.outer = self._tree(("b", self.inner, FileMode.TREE))
        self.root = self._tree(
            ("a", self.outer, FileMode.TREE),
            ("caf\udce9", self.file, FileMode.BLOB_EXECUTABLE),
            ("link", self.file, FileMode.LINK),
            ("module", self.root_commit(self.inner), FileMode.COMMIT),
        )
        self.commit = str(self.root_commit(self.root))

    def _tree(self, *entries: tuple[str, pygit2.Oid, FileMode]) -> pygit2.Oid:
        data = b"".join(
            b"%o %s\0%s" % (mode, os.fsencode(name), oid.raw) for name, oid, mode in entries
        )
        return self.git.write(pygit2.enums.ObjectType.TREE, data)

    def root_commit(self, tree: pygit2.Oid) -> pygit2.Oid:
        return self.git.create_commit(None, AUTHOR, AUTHOR, "m", tree, [])

    def loose(self, oid: pygit2.Oid) -> Path:
        return self.path / "objects" / str(oid)[:2] / str(oid)[2:]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "r.git")


def test_entries_are_found_by_their_path(repository: Repository) -> None:
    commit = Commit(repository.path, repository.commit)
    entry = commit.entry("a/b/c")

    assert entry is not None
    assert (entry.name, entry.kind) == ("c", Kind.FILE)
    assert commit.read(entry.blob) == b"content"
    assert commit.size(entry.blob) == 7
    assert {child.name: child.kind for child in commit.children("")} == {
        "a": Kind.TREE,
        "caf\udce9": Kind.EXECUTABLE,
        "link": Kind.LINK,
        "module": Kind.SUBMODULE,
    }
    assert [child.name for child in commit.folder(str(repository.inner))] == ["c"]
    found = commit.entry("caf\udce9")
    assert found is not None
    assert found.kind is Kind.EXECUTABLE


@pytest.mark.parametrize("path", ["nope", "a/nope", "a/b/c/d", "/a", "a/", "a//b", "link/x", "."])
def test_what_is_not_there_is_none_and_lists_nothing(repository: Repository, path: str) -> None:
    commit = Commit(repository.path, repository.commit)

    assert commit.entry(path) is None
    assert list(commit.children(path)) == []


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_damaged_folder_is_not_one_that_is_not_there(repository: Repository, how: str) -> None:
    file = repository.loose(repository.inner)
    file.chmod(0o600)
    file.unlink() if how == "lost" else file.write_bytes(b"not zlib")
    commit = Commit(repository.path, repository.commit)

    with pytest.raises(DamagedRepositoryError):
        commit.entry("a/b/c")
    with pytest.raises(DamagedRepositoryError):
        list(commit.children("a/b"))
    with pytest.raises(DamagedRepositoryError):
        list(commit.folder(str(repository.inner)))


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_a_damaged_file_is_never_empty(repository: Repository, how: str) -> None:
    file = repository.loose(repository.file)
    file.chmod(0o600)
    file.unlink() if how == "lost" else file.write_bytes(b"not zlib")
    commit = Commit(repository.path, repository.commit)

    with pytest.raises(DamagedRepositoryError):
        commit.read(str(repository.file))
    with pytest.raises(DamagedRepositoryError):
        commit.size(str(repository.file))


def test_a_commit_or_repository_that_is_not_there_is_damage(
    repository: Repository, tmp_path: Path
) -> None:
    for path, name in ((repository.path, "0" * 40), (tmp_path / "nope", repository.commit)):
        with pytest.raises(DamagedRepositoryError):
            Commit(path, name)


def test_a_folder_is_no_file_and_a_file_no_folder(repository: Repository) -> None:
    commit = Commit(repository.path, repository.commit)

    with pytest.raises(SourceError):
        commit.read(str(repository.inner))
    with pytest.raises(SourceError):
        list(commit.folder(str(repository.file)))
