"""GitUrl → a bare mirror with the commits that were asked for, and their ids.

A mirror has one ref for each branch that was asked for, `refs/flux-secret/BRANCH`, and one for the
tag that is fetched along (the sync marker); each is moved only after everything it reaches has
arrived. So a ref that is there is whole, unless the disk was
damaged: then the mirror is made anew beside the old one, and takes its place when it is ready.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flux_secret.errors import ConfigurationError, SourceError, UnreachableError
from flux_secret.model.giturl import GitUrl
from flux_secret.outside.git.access import GitAccess
from flux_secret.outside.git.beside import Beside
from flux_secret.outside.git.command import Git
from flux_secret.outside.git.failure import UnexplainedError, UnheardError
from flux_secret.outside.git.refs import digest_of, listed, our, ref_of, tag_ref
from flux_secret.outside.lock import locked

MAX_PACKS: Final = 40  # one a fetch; then they are packed into one
_SHOWN_BRANCHES: Final = 10
_NEW, _OLD = ".new", ".old"  # what a mirror is called while another takes its place
_CONDEMNED: Final = "flux-secret-condemned"
_ANSWERED: Final = "flux-secret-answered"
# what a git that was killed leaves behind; we are alone with the mirror when we remove it
_LEFTOVERS: Final = ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/*/tmp_obj_*")


class Mirror:
    """A bare mirror of one repository, kept between deliveries; several processes may share it."""

    def __init__(
        self,
        url: GitUrl,
        cache: Path,
        access: GitAccess,
        *,
        tag: str | None = None,
        beside: str | None = None,
    ) -> None:
        """`tag` names a tag that is fetched along with each branch, where the remote has it.

        So are the refs below `beside`: small objects, at most `beside.MAX_REFS`.
        """
        self.url = url
        self._access = access
        self._tag = None if tag is None else tag_ref(tag)
        self.git = Git(url, access)
        self._beside = Beside(url, access, beside) if beside else None
        name = hashlib.sha256(url.address.encode()).hexdigest()[:24]
        self.path = cache.absolute() / "mirrors" / f"{name}.git"

    async def fetch(self, branch: str | None) -> str:
        """Fetch and give the branch's commit; `None` is the remote's default branch.

        Raises `UnreachableError` (host, network, time), `AccessError` (authentication),
        `IntegrityError` (host key, certificate) or `SourceError` (no such branch or repository);
        what was fetched before is still there then.
        """
        ref = ref_of(branch)
        async with self._alone():
            wanted = await self._remote_refs(ref, forget=True)
            if not (self.path / _CONDEMNED).exists():
                try:
                    return await self._bring(self.path, ref, wanted)
                except (_DamagedError, UnexplainedError, UnheardError):
                    pass  # the host has just answered, so it is the mirror
            return await self._make_anew(ref, wanted)

    async def remote_head(self, branch: str | None) -> str:
        """Ask the remote for the branch's commit without fetching anything."""
        return (await self.remote_state(branch))[0]

    async def remote_state(self, branch: str | None) -> tuple[str, str]:
        """Ask also for what lies beside its branches, as `digest_of` names it."""
        ref = ref_of(branch)
        found = await self._remote_refs(ref)
        return found[ref], digest_of(self._beside.of(found)) if self._beside else ""

    async def beside(self) -> str:
        """Name what was fetched of it, without asking anybody."""
        return digest_of(await self._beside.known(self.path)) if self._beside else ""

    async def head(self, branch: str | None) -> str:
        """Give the commit that was fetched last, without asking anybody.

        Raises `SourceError` when that branch was never fetched.
        """
        ref = ref_of(branch)
        commit = await self._known(self.path, ref) if self.path.is_dir() else None
        if commit is None:
            raise SourceError(
                f"there is no copy of {_spoken(ref)} of {self.url} yet",
                remedy="it is made with the first fetch",
            )
        return commit

    async def bring(self, commit: str, ref: str) -> None:
        """Fetch one commit by its id under a ref of ours; raises as `fetch` does."""
        async with self._alone():
            await self.git.fetch(self.path, f"{commit}:{ref}", seconds=self._access.timeout_seconds)

    @property
    def answered(self) -> datetime | None:
        """When the remote answered last with what we have; None when it never did."""
        with contextlib.suppress(OSError):
            return datetime.fromtimestamp((self.path / _ANSWERED).stat().st_mtime, UTC)
        return None

    def condemn(self) -> None:
        """Say that an object was missing or damaged: the next fetch makes the mirror anew."""
        with contextlib.suppress(OSError):  # no mirror at all: the next fetch makes one anyway
            (self.path / _CONDEMNED).touch()

    async def _remote_refs(self, ref: str, *, forget: bool = False) -> dict[str, str]:
        """Give what the remote has for the branch and, if it is there, for the tag."""
        url = self.url.address
        asked = [ref] if self._tag is None else [ref, self._tag]
        asked += [self._beside.pattern] if self._beside else []
        found = listed(await self.git.ask("ls-remote", "--quiet", "--", url, *asked))
        if ref not in found:
            heads = listed(await self.git.ask("ls-remote", "--quiet", "--heads", "--", url))
            if forget and heads:  # a host that suddenly has none at all is not believed so easily
                await self._forget(ref)
            raise self._no_branch(ref, [head.removeprefix("refs/heads/") for head in heads])
        if forget and self._tag is not None and self._tag not in found:
            await self._forget(self._tag)
        wanted = {name: found[name] for name in asked if name in found}
        return {**wanted, **(self._beside.of(found) if self._beside else {})}

    async def _bring(self, mirror: Path, ref: str, wanted: Mapping[str, str]) -> str:
        """Fetch into a mirror that may not be there yet what it does not have."""
        known = None
        if (mirror / "HEAD").is_file():
            known = await self._known(mirror, ref)
        else:
            await self._create(mirror)
        missing = [
            name
            for name, object_id in wanted.items()
            if not (self._beside and self._beside.has(name))
            and object_id != (known if name == ref else await self._object(mirror, name))
        ]
        if known is None or missing:
            await self._fetch(mirror, missing, first=known is None)
            known = await self._known(mirror, ref)
        if known is None:
            raise _DamagedError(f"the mirror of {self.url} is damaged")
        if self._beside is not None:
            await self._beside.bring(mirror, wanted)
        with contextlib.suppress(OSError):  # it is for people only
            (mirror / _ANSWERED).touch()
        return known

    async def _fetch(self, mirror: Path, refs: Sequence[str], *, first: bool) -> None:
        seconds = self._access.timeout_seconds
        if first:
            seconds = max(seconds, self._access.first_fetch_seconds)
        try:
            await self.git.fetch(mirror, *(f"{ref}:{our(ref)}" for ref in refs), seconds=seconds)
        except BaseException:
            _tidy(mirror)  # half a pack may be large
            raise
        await self._pack(mirror)

    async def _pack(self, mirror: Path) -> None:
        """Make one pack of many; it is no failure of a fetch when that fails."""
        if len(list((mirror / "objects" / "pack").glob("*.pack"))) <= MAX_PACKS:
            return
        with contextlib.suppress(UnreachableError):
            # a copy that somebody reads from borrows from it: nothing younger than two weeks goes
            words = ("gc", "--quiet", "--prune=2.weeks.ago")
            await self.git.local(mirror, *words, seconds=self._access.first_fetch_seconds)

    async def _create(self, mirror: Path) -> None:
        _make_empty(mirror)
        made = await self.git.local(
            mirror, "init", "--quiet", "--bare", "--template=", "--initial-branch=none"
        )
        if made is None:
            raise ConfigurationError(
                f"no mirror can be made in {mirror.parent}",
                remedy="check its space and who may write there, or name another --cache-dir",
            )

    async def _make_anew(self, ref: str, wanted: Mapping[str, str]) -> str:
        fresh, old = (self.path.with_suffix(suffix) for suffix in (_NEW, _OLD))
        try:
            fetched = await self._bring(fresh, ref, wanted)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        if self.path.exists():
            self.path.rename(old)
        fresh.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)
        return fetched

    async def _known(self, mirror: Path, ref: str) -> str | None:
        """Give the commit that our ref has, when its object is there."""
        found = await self.git.local(
            mirror,
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            f"{our(ref)}^{{commit}}",
        )
        return found.decode().strip() or None if found else None

    async def _object(self, mirror: Path, ref: str) -> str | None:
        """Give the object that our copy of a ref names: a tag's own for a tag."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", our(ref))
        found = await self.git.local(mirror, *words)
        return found.decode().strip() or None if found else None

    async def _forget(self, ref: str) -> None:
        """Drop what the remote no longer has: Flux v1 never did, and went on delivering it."""
        if self.path.is_dir():
            await self.git.local(self.path, "update-ref", "-d", our(ref))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            wait = 2 * self._access.timeout_seconds + self._access.first_fetch_seconds
            async with locked(self.path.with_suffix(".lock"), timeout_seconds=wait):
                for suffix in (_NEW, _OLD):
                    shutil.rmtree(self.path.with_suffix(suffix), ignore_errors=True)
                _tidy(self.path)
                yield
        except OSError as error:
            raise ConfigurationError(
                f"the mirror of {self.url} cannot be kept in {self.path.parent}: {error.strerror}",
                remedy="check its space and who may write there, or name another --cache-dir",
            ) from error

    def _no_branch(self, ref: str, branches: list[str]) -> SourceError:
        if not branches:
            return SourceError(
                f"{self.url} is an empty repository", remedy="push a first commit to it"
            )
        names = ", ".join(ascii(name)[1:-1] for name in branches[:_SHOWN_BRANCHES])
        more = len(branches) - _SHOWN_BRANCHES
        return SourceError(
            f"{self.url} has no {_spoken(ref)}; it has {names}"
            + (f" and {more} more" if more > 0 else ""),
            remedy="name one that is there, as with --git-branch",
        )


class _DamagedError(UnreachableError):
    """The mirror is not what git left."""


def _spoken(ref: str) -> str:
    return "default branch" if ref == "HEAD" else f"branch {ref.removeprefix('refs/heads/')!r}"


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def _tidy(mirror: Path) -> None:
    for pattern in _LEFTOVERS:
        for file in mirror.glob(pattern):
            file.unlink(missing_ok=True)
