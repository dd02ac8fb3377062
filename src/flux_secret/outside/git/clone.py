"""Changes of files → one commit of a person's clone, and then the same files in their folder.

A commit is made of objects first, beside the branch and the folder; whatever ends us until then
leaves nothing behind. Then the steps that others see:

1. what is about to happen is noted in a journal, inside `.git`;
2. the branch moves, if it is still where it was;
3. each changed file that still is as the old commit has it becomes as the new one has it;
4. the index follows, and the journal is removed.

Whoever comes next finishes from the journal what 2 began. So a store's folder holds each entry as
the old commit or as the new one has it, whole, and nothing that somebody else wrote is touched.
Files that a person has changed and not committed stay out of it, as long as they are others.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pygit2
from pygit2.enums import FileMode

from flux_secret.errors import ConfigurationError, FluxSecretError, UnreachableError
from flux_secret.outside.files import write_atomic
from flux_secret.outside.git.person import PersonGit, git_words
from flux_secret.outside.objects import Commit, Kind
from flux_secret.outside.workfolder import WorkFolder

JOURNAL: Final = "flux-secret-change"
LOCK_SECONDS: Final = 5.0  # that git keeps its index locked: a commit of 10,000 entries takes 0.1 s
_PAUSE_SECONDS: Final = 0.02
STAGING: Final = "flux-secret-staging"
_MANY: Final = 8  # objects from which on a process of git is faster than we
_NO_ROOM: Final = "make room on the disk, or mend the rights; nothing was changed"
_ZERO: Final = "0" * 40
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_UNFINISHED: Final = {
    "MERGE_HEAD": "a merge",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
}
_MODES: Final = {
    Kind.FILE: FileMode.BLOB,
    Kind.EXECUTABLE: FileMode.BLOB_EXECUTABLE,
    Kind.LINK: FileMode.LINK,
    Kind.SUBMODULE: FileMode.COMMIT,
}


class Blob(NamedTuple):
    """A file's content that is among git's objects already (`Clone.keep`)."""

    id: str


Files = Mapping[str, bytes | Blob | None]
"""Path below the root → its new bytes; None takes it away."""


class _Content(NamedTuple):
    """What a file holds, or where a link points to."""

    data: bytes
    is_link: bool


class Clone:
    """One store's repository and its folder."""

    def __init__(self, folder: WorkFolder, git_dir: Path, git: PersonGit) -> None:
        self.folder = folder
        self.git_dir = git_dir
        self.git = git

    @classmethod
    async def find(cls, folder: WorkFolder, git: PersonGit) -> Clone | None:
        """Open the repository of a folder; None when it is no repository at all."""
        top = await git.ask(folder.root, "rev-parse", "--show-toplevel")
        git_dir = await git.ask(folder.root, "rev-parse", "--absolute-git-dir")
        if top is None or git_dir is None:
            if (folder.root / ".git").exists():
                done = await git.run(folder.root, "rev-parse", "--show-toplevel")
                raise ConfigurationError(
                    f"git cannot use the repository in {folder.root}: {git_words(done)}",
                    remedy=f"mend it first: git -C {folder.root} status",
                )
            return None
        if not folder.is_at(Path(top)):
            raise ConfigurationError(
                f"the store {folder.root} lies inside another repository, {top}",
                remedy="give the store a repository of its own: git init there",
            )
        return cls(folder, Path(git_dir), git)

    async def head(self) -> str | None:
        """Give the commit that is checked out; None before the first."""
        return await self.git.ask(self.folder.root, "rev-parse", "--quiet", "--verify", "HEAD")

    def at(self, commit: str) -> Commit:
        """Open a commit's tree."""
        return Commit(self.git_dir, commit)

    @property
    def is_shallow(self) -> bool:
        """Whether it has only the newest part of its history."""
        return (self.git_dir / "shallow").exists()

    def unfinished(self) -> str:
        """Say what a person, or gopass, has begun here and not ended; empty when nothing."""
        return next(
            (what for name, what in _UNFINISHED.items() if (self.git_dir / name).exists()), ""
        )

    async def quiet(self) -> None:
        """Wait for another git that is at work here; raise `UnreachableError` when it stays so."""
        lock = self.git_dir / "index.lock"
        deadline = asyncio.get_running_loop().time() + LOCK_SECONDS
        while lock.exists():
            if asyncio.get_running_loop().time() >= deadline:
                raise UnreachableError(
                    f"another git is at work in {self.folder.root}, since {LOCK_SECONDS:g} s",
                    remedy=f"let it end; if none runs there, a killed one left its lock: rm {lock}",
                )
            await asyncio.sleep(_PAUSE_SECONDS)

    @staticmethod
    def blob_id(data: bytes) -> str:
        """Give the id that git gives to a file of these bytes."""
        return str(pygit2.hash(data))

    def keep(self, data: bytes) -> Blob:
        """Put a file's bytes among git's objects, where they stay for two weeks at least."""
        with self._writing():
            return Blob(str(self._repository().create_blob(data)))

    async def keep_all(self, files: Sequence[bytes]) -> list[Blob]:
        """Put many files' bytes among git's objects, on the disk when this returns.

        One pack of git's own `fast-import`, a tenth of the time of one object by one.
        """
        if len(files) < _MANY:
            return [self.keep(data) for data in files]
        stream = b"".join(b"blob\ndata %d\n%s\n" % (len(data), data) for data in files)
        settings = ("-c", "fastimport.unpackLimit=1")
        words = (*settings, "fast-import", "--quiet", "--depth=0", "--done")
        done = await self.git.run(self.folder.root, *words, stdin=stream + b"done\n")
        if done.returncode != 0:
            for report in self.git_dir.glob("fast_import_crash_*"):
                report.unlink(missing_ok=True)  # names sizes, no contents; but who would read it
            said = git_words(done).partition("\n")[0]
            raise ConfigurationError(
                f"nothing can be written into {self.git_dir}: {said}", remedy=_NO_ROOM
            )
        return [Blob(self.blob_id(data)) for data in files]

    def kept(self, blob: Blob) -> bytes | None:
        """Give the bytes of an object; None where there is none that is whole."""
        try:
            found = self._repository().get(pygit2.Oid(hex=blob.id))
        except (ValueError, OSError, pygit2.GitError):
            return None
        data = bytes(found.data) if isinstance(found, pygit2.Blob) else None
        return data if data is not None and self.blob_id(data) == blob.id else None

    def file(self, commit: str, path: str) -> bytes | None:
        """Give a file as a commit has it; None when it has no such file."""
        found = self._in(self.at(commit), path)
        return found.data if found is not None else None

    def merge_head(self) -> str | None:
        """Give the other side of a merge that was begun here and not ended."""
        try:
            first = (self.git_dir / "MERGE_HEAD").read_text().split("\n")[0].strip()
        except FileNotFoundError:
            return None
        return first if _OBJECT_ID.match(first) else None

    async def end_merge(self) -> None:
        """Forget a merge whose two sides are in the branch by now; files stay as they are."""
        await self.git.do(self.folder.root, "reset", "--quiet", "--mixed")

    async def uncommitted(self) -> list[str]:
        """Give the paths that git says are not as the commit has them, new ones included."""
        words = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        listed = await self.git.do(self.folder.root, *words)
        return [line[3:] for line in listed.split("\0") if line]

    def differing(self, commit: str | None, paths: Collection[str]) -> list[str]:
        """Give the paths whose file in the folder is not as the commit has it."""
        tree = self.at(commit) if commit else None
        return sorted(path for path in paths if self._in(tree, path) != self._now(path))

    async def commit(self, files: Files, message: str, *, parents: tuple[str, ...] = ()) -> str:
        """Make a commit of changed files; nothing that others see is changed yet."""
        tree = self.tree(parents[0] if parents else None, files)
        return await self.commit_tree(tree, message, parents=parents)

    async def commit_tree(self, tree: str, message: str, *, parents: tuple[str, ...]) -> str:
        """Make a commit of a tree; nothing that others see is changed yet.

        A person's identity, and `commit.gpgSign`, count as in `git commit`; no hook runs.
        """
        signs = await self.git.ask(
            self.folder.root, "config", "--type=bool", "--get", "commit.gpgSign"
        )
        words = ["commit-tree", tree, *(["-S"] if signs == "true" else [])]
        words += [word for parent in parents for word in ("-p", parent)]
        said = message.encode(errors="backslashreplace")  # names of files may be any bytes
        done = await self.git.run(self.folder.root, *words, "-F", "-", stdin=said)
        commit = done.untrusted_stdout.decode(errors="replace").strip()
        if done.returncode != 0 or not _OBJECT_ID.match(commit):
            raise ConfigurationError(
                f"git cannot make a commit in {self.folder.root}: {git_words(done)}",
                remedy="if it does not know you: git config --global user.name and user.email; "
                "else make room, or mend the rights; nothing was changed",
            )
        return commit

    async def advance(
        self, old: str | None, new: str, message: str, *, also: str | None = None
    ) -> None:
        """Move the branch from `old` to `new`, and bring the folder after it.

        A file is replaced if it is as `old` has it, or as commit `also` has it: git's own merge may
        have put it there.
        """
        noted = {"old": old, "new": new, "also": also}
        with self._writing():
            write_atomic(self._journal, json.dumps(noted).encode())
        subject = message.partition("\n")[0]
        moved = await self.git.run(
            self.folder.root, "update-ref", "-m", f"flux-secret: {subject}", "HEAD", new,
            old or _ZERO,
        )  # fmt: skip
        if moved.returncode != 0:
            self._journal.unlink(missing_ok=True)
            words = git_words(moved)
            said = "somebody else committed meanwhile" if "but expected" in words else words
            raise UnreachableError(
                f"the branch of {self.folder.root} cannot be moved: {said}; nothing was changed",
                remedy="let other programs end, and make room; then try again",
            )
        await self._bring(old, new, also)

    async def recover(self) -> bool:
        """Finish what was interrupted after the branch had moved; say whether there was any."""
        try:
            noted = json.loads(self._journal.read_bytes())
            old, new, also = noted["old"], str(noted["new"]), noted.get("also")
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            self._journal.unlink()  # written in one step, so this is not ours
            return False
        if await self.git.ask(self.folder.root, "merge-base", "--is-ancestor", new, "HEAD") is None:
            self._journal.unlink()  # the branch never moved
            return False
        await self._bring(old, new, also)
        return True

    async def _bring(self, old: str | None, new: str, also: str | None) -> None:
        """Bring the folder from `old` to `new`, file by file; then the index, then be done."""
        replaceable = [self.at(one) if one else None for one in ([old, also] if also else [old])]
        after = self.at(new)
        paths = self.changed(old, new)
        try:
            plain: dict[str, bytes] = {}
            for path in paths:
                now = self._now(path)
                if now in [self._in(one, path) for one in replaceable]:
                    will = self._in(after, path)
                    if will is None and now is None:
                        continue  # a submodule, before or after: nothing of it is here
                    if will is None:
                        self.folder.remove(path)
                    elif will.is_link:
                        self.folder.link(path, will.data)
                    else:
                        plain[path] = will.data
            self.folder.write_all(plain, self.git_dir / STAGING)
            await self.quiet()
            await self._index(paths)
        except FluxSecretError as failure:
            raise type(failure)(
                f"{new[:12]} is committed, but {self.folder.root} could not follow: {failure.what}",
                remedy=f"{failure.remedy.partition(';')[0]}; the next change finishes it",
            ) from None
        shutil.rmtree(self.git_dir / STAGING, ignore_errors=True)  # of one that was killed
        self._journal.unlink(missing_ok=True)

    async def _index(self, paths: Sequence[str]) -> None:
        """Have git's index say what the folder holds.

        What went goes first: where a submodule was, a folder may stand now.
        """
        there: dict[bool, list[str]] = {False: [], True: []}
        for path in paths:
            found = self.folder.entry(path)
            there[found is not None and not found.is_folder].append(path)
        ways = (("--force-remove",), there[False]), (("--add", "--remove"), there[True])
        for options, named in ways:
            if named:
                listed = b"".join(path.encode(errors="surrogateescape") + b"\0" for path in named)
                words = ("update-index", *options, "-z", "--stdin")
                await self.git.do(self.folder.root, *words, stdin=listed)

    @property
    def _journal(self) -> Path:
        return self.git_dir / JOURNAL

    def _now(self, path: str) -> _Content | None:
        found = self.folder.entry(path)
        if found is None or found.is_folder:
            return None
        return _Content(self.folder.read(path), found.is_link)

    @staticmethod
    def _in(tree: Commit | None, path: str) -> _Content | None:
        found = tree.entry(path) if tree else None
        if tree is None or found is None or found.kind in {Kind.TREE, Kind.SUBMODULE}:
            return None
        return _Content(tree.read(found.blob), found.is_link)

    def _repository(self) -> pygit2.Repository:
        return pygit2.Repository(str(self.git_dir), pygit2.enums.RepositoryOpenFlag.BARE)

    def tree(self, base: str | None, files: Files, taken: Mapping[str, str] | None = None) -> str:
        """Make the tree of `base` (a commit, or a tree) with other files in it; give its id.

        `taken` names paths that are to be as another commit has them, links included.
        """
        repository = self._repository()
        index = pygit2.Index()
        if base:
            index.read_tree(repository[base].peel(pygit2.Tree))
        with self._writing():
            for path, commit in (taken or {}).items():
                found = self.at(commit).entry(path)
                _set(index, path, None if found is None else (found.blob, _MODES[found.kind]))
            for path, data in files.items():
                blob = data if data is None or isinstance(data, Blob) else self.keep(data)
                _set(index, path, None if blob is None else (blob.id, FileMode.BLOB))
            return str(index.write_tree(repository))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (pygit2.GitError, OSError) as error:
            raise ConfigurationError(
                f"nothing can be written into {self.git_dir}: {str(error).strip()}",
                remedy=_NO_ROOM,
            ) from None

    def changed(self, old: str | None, new: str) -> list[str]:
        """Give the paths in which two commits differ."""
        repository = self._repository()
        tree = repository[new].peel(pygit2.Tree)
        if old:
            diff = repository[old].peel(pygit2.Tree).diff_to_tree(tree)
        else:
            diff = tree.diff_to_tree(swap=True)
        paths = {
            path for delta in diff.deltas for path in (delta.old_file.path, delta.new_file.path)
        }
        return sorted(paths)


def _set(index: pygit2.Index, path: str, blob: tuple[str, FileMode] | None) -> None:
    if blob is not None:
        index.add(pygit2.IndexEntry(path, pygit2.Oid(hex=blob[0]), blob[1]))
    elif path in index:
        index.remove(path)
