from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flux_secret.errors import SourceError, UnreachableError, UsageError
from flux_secret.model.giturl import GitUrl
from flux_secret.model.target import Generation, Source, Target
from flux_secret.outside.objects import DamagedRepositoryError
from flux_secret.source.branch import Branch
from flux_secret.source.checkout import GitSource
from unit.source.fakes import Fetched, NoHistory

SOURCE = Source(GitUrl.parse("/srv/ops"), "main")


@dataclass
class Host:
    """A mirror and the trees that are laid out of it."""

    root: Path
    path: Path = Path("/mirror")
    fetched: list[str | None] = field(default_factory=list)
    damaged: bool = False
    unreachable: bool = False
    released: int = 0

    async def fetch(self, branch: str | None) -> Fetched:
        if self.unreachable:
            raise UnreachableError("no answer")
        self.fetched.append(branch)
        return Fetched("c" * 40)

    def condemn(self) -> None:
        self.damaged = False

    def branch(self, source: Source) -> Branch:
        return Branch(source, self, NoHistory())

    @asynccontextmanager
    async def lay_out(self, _repository: Path, _commit: str) -> AsyncIterator[Path]:
        if self.damaged:
            raise DamagedRepositoryError("object is missing")
        try:
            yield self.root
        finally:
            self.released += 1


@pytest.fixture
def host(tmp_path: Path) -> Host:
    root = tmp_path / "tree"
    (root / "demo" / "overlay").mkdir(parents=True)
    (root / "demo" / "x.yaml").write_text("a: 1\n")
    (root / "demo" / "overlay" / "y.yaml").write_text("a: 1\n")
    (root / "link").symlink_to("demo/overlay")
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to(tmp_path)
    (root / "dangling").symlink_to("nothing")
    (tmp_path / "tree2").mkdir()
    return Host(root)


async def directory(host: Host, path: str) -> Path:
    source = GitSource(host.branch, host.lay_out)
    async with source.checkout(Target(SOURCE, path)) as checkout:
        assert checkout.root == host.root
        return checkout.directory.relative_to(host.root)


@pytest.mark.parametrize(
    ("path", "inside"),
    [("", "."), ("demo", "demo"), ("demo/x.yaml", "demo/x.yaml"), ("link", "demo/overlay")],
)
async def test_the_directory_is_the_git_path(host: Host, path: str, inside: str) -> None:
    assert await directory(host, path) == Path(inside)
    assert host.fetched == ["main"]
    assert host.released == 1


@pytest.mark.parametrize("path", ["nope", "demo/x.yaml/y", "loop", "dangling", "a" * 300])
async def test_a_path_that_is_not_there_is_an_error(host: Host, path: str) -> None:
    with pytest.raises(SourceError, match=r"does not exist in /srv/ops at c{12}") as raised:
        await directory(host, path)

    assert "nothing was removed" in raised.value.remedy
    assert host.released == 1


@pytest.mark.parametrize("path", ["module", "empty"])
async def test_a_submodule_is_no_empty_target(host: Host, path: str) -> None:
    (host.root / "module").mkdir()
    (host.root / "empty" / ".git").mkdir(parents=True)

    with pytest.raises(SourceError, match="is empty"):
        await directory(host, path)


async def test_a_link_that_leads_out_is_an_error(host: Host) -> None:
    with pytest.raises(SourceError, match="leads out"):
        await directory(host, "out")
    with pytest.raises(SourceError, match="leads out"):
        await directory(host, "out/tree2")


@pytest.mark.parametrize("path", ["../tree2", "demo/../..", ".git", "demo\x00", "a\x1b[1m"])
async def test_a_path_that_cannot_be_inside_is_refused_before_fetching(
    host: Host, path: str
) -> None:
    with pytest.raises(UsageError):
        await directory(host, path)

    assert host.fetched == []


async def test_a_leading_slash_is_refused_in_the_words_of_flux(host: Host) -> None:
    with pytest.raises(UsageError) as raised:
        await directory(host, "/demo")

    assert raised.value.what == (
        "subdirectory given as --git-path should not have leading forward slash"
    )
    assert "--git-path=demo" in raised.value.remedy


async def test_a_damaged_mirror_is_made_anew_and_the_checkout_goes_on(host: Host) -> None:
    host.damaged = True

    assert await directory(host, "demo") == Path("demo")
    assert host.fetched == ["main", "main"]


async def test_an_unreachable_host_is_no_empty_tree(host: Host) -> None:
    host.unreachable = True

    with pytest.raises(UnreachableError):
        await directory(host, "demo")


async def test_what_may_use_the_network_is_laid_out_apart(host: Host, tmp_path: Path) -> None:
    apart = Host(tmp_path / "tree2")
    (apart.root / "demo").mkdir()
    (apart.root / "demo/x.yaml").write_text("a: 1\n")
    source = GitSource(host.branch, host.lay_out, apart=apart.lay_out)
    for network, expected in ((False, host), (True, apart)):
        target = Target(SOURCE, "demo", generation=Generation(network=network))
        async with source.checkout(target) as checkout:
            assert checkout.root == expected.root
