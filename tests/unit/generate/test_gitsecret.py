"""What git-secret hides: listed, decrypted, put in its place, or the target fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flux_secret.errors import (
    DecryptError,
    EmptyValueError,
    FluxSecretError,
    ManifestError,
    SourceError,
)
from flux_secret.generate import gitsecret
from flux_secret.generate.gitsecret import remarks, unhide
from flux_secret.model.target import GitSecret
from simulators.opener import SimulatedOpener

CLEAR = {b"sealed a": b"value a\n", b"sealed b": b"value b\n"}
LIST = ".gitsecret/paths/mapping.cfg"


def repository(root: Path, listed: str | bytes, files: Mapping[str, bytes] | None = None) -> Path:
    for name, content in {LIST: listed, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root.resolve()


async def revealed(root: Path, names: GitSecret | None = None) -> gitsecret.Revealed:
    return await unhide(root, names or GitSecret(), SimulatedOpener(CLEAR).opener())


async def test_every_listed_file_is_revealed_over_what_is_there(tmp_path: Path) -> None:
    files = {"a.yaml.secret": b"sealed a", "x/b.env.secret": b"sealed b", "a.yaml": b"old"}
    root = repository(tmp_path, "a.yaml:hash\nx/b.env:\n\n", files)
    done = await revealed(root)
    assert (root / "a.yaml").read_bytes() == b"value a\n"
    assert (root / "x/b.env").read_bytes() == b"value b\n"
    assert (len(done.values), done.size) == (2, 16)
    assert "value a" not in repr(done)


async def test_git_secrets_own_variables_name_folder_and_ending(tmp_path: Path) -> None:
    files = {"keep/paths/mapping.cfg": b"a.yaml:\n", "a.yaml.hidden": b"sealed a"}
    root = repository(tmp_path, "other:\n", files)
    await revealed(root, GitSecret("keep", ".hidden"))
    assert (root / "a.yaml").read_bytes() == b"value a\n"


@pytest.mark.parametrize(
    ("listed", "files", "error", "words"),
    [
        ("a:\n", {}, ManifestError, "git-secret hides a, which cannot be revealed: a.secret is a"),
        ("a:\n", {"a.secret": b"damaged"}, DecryptError, "hides a, .* no private key for it"),
        ("../a:\n", {}, SourceError, "'../a', which may not be revealed"),
        ("x/../../a:\n", {}, SourceError, "may not be revealed"),
        ("/etc/a:\n", {}, SourceError, "'/etc/a', which may not be revealed"),
        (".git/config:\n", {}, SourceError, "may not be revealed"),
        ("a\x1b[2J:\n", {}, SourceError, r"'a\\x1b\[2J'"),
        ("a.secret:\n", {}, SourceError, "encrypted form of a file"),
        (b"\xff:\n", {}, SourceError, "is not UTF-8"),
    ],
)
async def test_a_file_that_cannot_be_revealed_fails_the_target(
    tmp_path: Path,
    listed: str | bytes,
    files: Mapping[str, bytes],
    error: type[FluxSecretError],
    words: str,
) -> None:
    with pytest.raises(error, match=words) as caught:
        await revealed(repository(tmp_path, listed, files))
    assert caught.value.remedy


async def test_a_file_that_decrypts_to_nothing_is_refused(tmp_path: Path) -> None:
    root = repository(tmp_path, "a:\n", {"a.secret": b"x"})
    with pytest.raises(EmptyValueError, match=r"hides a, .* it decrypts to nothing"):
        await unhide(root, GitSecret(), SimulatedOpener({b"x": b""}).opener())


async def test_a_repository_without_a_list_is_an_error_that_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="git-secret hides nothing here") as caught:
        await revealed(tmp_path.resolve())
    assert "--git-secret" in caught.value.remedy


async def test_the_number_of_hidden_files_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitsecret, "MAX_FILES", 1)
    with pytest.raises(SourceError, match="more than 1 files"):
        await revealed(repository(tmp_path, "a:\nb:\n"))


def test_what_stays_hidden_below_the_target_is_remarked(tmp_path: Path) -> None:
    listed = "demo/a.yaml:\ndemo/here.yaml:\nother/b.yaml:\n"
    root = repository(tmp_path, listed, {"demo/here.yaml": b"x"})
    (remark,) = remarks(root, root / "demo")
    assert remark.about == "demo/a.yaml"
    assert "--git-secret is not given" in remark.says


def test_many_hidden_files_are_counted_and_a_bad_list_is_nobodys_business(tmp_path: Path) -> None:
    root = repository(tmp_path, "".join(f"demo/{number}:\n" for number in range(12)))
    said = [str(remark) for remark in remarks(root, root / "demo")]
    assert len(said) == 11
    assert said[-1].startswith("2 more files")
    (root / LIST).write_text("../x:\n")
    assert list(remarks(root, root / "demo")) == []
    (root / LIST).unlink()
    assert list(remarks(root, root / "demo")) == []
