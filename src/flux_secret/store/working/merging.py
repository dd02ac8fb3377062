"""Two people's commits → one tree that has what both did, and no edit lost.

1. What only one side changed is taken from it. A file of recipients that both changed has what each
   side added, and lacks what either took out: each was a person's own act. Of a key that both
   exported, theirs is taken.
2. An entry that both changed is decrypted and merged key by key. Where that cannot be, or is not
   wanted, both are kept: theirs under its name, since others and clusters have it already, ours
   beside it.
3. An entry that one side changed while the other changed who may read it is encrypted anew.

Nothing is written but git objects: a merge that fails leaves everything as it was.
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flux_secret.errors import AccessError, ConfigurationError, DecryptError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git.clone import Clone
from flux_secret.store.format.merge import Conflict, merge
from flux_secret.store.format.recipients import RecipientsFile
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.exports import EXPORTS
from flux_secret.store.working.recorded import Sealed
from flux_secret.store.working.store import WorkingStore


class Choice(enum.Enum):
    """What becomes of an entry that cannot be merged."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


Choose = Callable[[str, Sequence[str]], Choice]
"""Entry, the fields that both sides changed → what to do."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Three commits: what both had, and what each made of it."""

    base: str
    ours: str
    theirs: str

    @property
    def all(self) -> tuple[str, str, str]:
        """The three."""
        return self.base, self.ours, self.theirs


@dataclass(slots=True)
class Merged:
    """The tree, and what people should know of it."""

    tree: str = ""
    by_key: list[str] = field(default_factory=list)
    """Entries that have something of both sides."""
    survived: list[str] = field(default_factory=list)
    """Entries that one side removed and the other changed."""
    kept_twice: list[str] = field(default_factory=list)
    """Names under which our side of an entry was kept."""


class Merging:
    """One merge of one store."""

    def __init__(self, clone: Clone, store: WorkingStore, sides: Sides, choose: Choose) -> None:
        self._clone = clone
        self._store, self._crypto = store, store.crypto
        self._sides = sides
        self._choose = choose
        self._files: dict[str, bytes | None] = {}
        self._taken: dict[str, str] = {}
        self._done = Merged()

    async def merge(self) -> Merged:
        """Merge; raise `ConfigurationError` for a file that only a person can merge."""
        ours = set(self._clone.changed(self._sides.base, self._sides.ours))
        theirs = set(self._clone.changed(self._sides.base, self._sides.theirs))
        self._taken = dict.fromkeys(ours - theirs, self._sides.ours)
        both = sorted(path for path in ours & theirs if self._blob(path, 1) != self._blob(path, 2))
        entries = [path for path in both if path.endswith(self._crypto.layout.extension)]
        for path in sorted(set(both) - set(entries)):
            self._merge_file(path)
        wanted = self._tree(self._preliminary())
        await self._merge_entries(entries, wanted)
        await self._encrypt_anew(sorted((ours ^ theirs) - set(both)), wanted)
        self._done.tree = self._preliminary()
        return self._done

    def _preliminary(self) -> str:
        return self._clone.tree(self._sides.theirs, self._files, self._taken)

    def _merge_file(self, path: str) -> None:
        base, ours, theirs = (self._blob(path, side) for side in range(3))
        if path.startswith(f"{EXPORTS}/"):  # two exports of one key: `recipients update` compares
            self._files[path] = theirs
            return
        if posixpath.basename(path) != self._crypto.layout.recipients or not (ours and theirs):
            raise ConfigurationError(
                f"{path} was changed here and by somebody else, and only a person can merge it",
                remedy=f"merge by hand: git -C {self._clone.folder.root} merge "
                f"{self._sides.theirs[:12]}; nothing was changed yet",
            )
        before, mine = RecipientsFile(base or b""), RecipientsFile(ours)
        merged = RecipientsFile(theirs).without(set(before.ids) - set(mine.ids))
        self._files[path] = merged.with_added(set(mine.ids) - set(before.ids)).text

    async def _merge_entries(self, paths: Sequence[str], wanted: StoreTree) -> None:
        sides = [[self._blob(path, side) for side in range(3)] for path in paths]
        sealed = [
            (self._sealed(path, data, commit), data)
            for path, three in zip(paths, sides, strict=True)
            for data, commit in zip(three, self._sides.all, strict=True)
            if data is not None
        ]
        texts = iter(await self._store.open_all(sealed))
        for path, three in zip(paths, sides, strict=True):
            decrypted = [None if one is None else next(texts) for one in three]
            await self._merge_entry(path, decrypted, wanted)

    async def _merge_entry(
        self, path: str, texts: Sequence[Plaintext | DecryptError | None], wanted: StoreTree
    ) -> None:
        name = path.removesuffix(self._crypto.layout.extension)
        base, ours, theirs = texts
        if ours is None or theirs is None:  # one side removed what the other changed: keep it
            if theirs is None:
                self._taken[path] = self._sides.ours
            self._done.survived.append(name)
            return
        merged = _merged(base, ours, theirs)
        if isinstance(merged, Plaintext):
            self._files[path] = await self._closed(path, merged, wanted)
            self._done.by_key.append(name)
            return
        choice = self._choose(name, merged.fields)
        if choice is Choice.OURS:
            self._taken[path] = self._sides.ours
        elif choice is Choice.BOTH:
            beside = f"{name}.ours-{self._sides.ours[:8]}"
            self._files[beside + self._crypto.layout.extension] = self._blob(path, 1)
            self._done.kept_twice.append(beside)

    async def _encrypt_anew(self, paths: Sequence[str], wanted: StoreTree) -> None:
        """Encrypt what one side changed to those whom the other side has let in, or put out."""
        stale = [path for path in paths if self._is_stale(path, wanted)]
        messages = [wanted.ciphertext(blob) for path in stale if (blob := self._id(wanted, path))]
        sealed = [
            (self._sealed(path, data, self._side(path)), data)
            for path, data in zip(stale, messages, strict=True)
        ]
        for path, text in zip(stale, await self._store.open_all(sealed), strict=True):
            if isinstance(text, DecryptError):
                raise AccessError(
                    f"{path} must be encrypted to other people after this merge: {text.what}",
                    remedy="let somebody who can read it run: flux-secret store sync",
                )
            self._files[path] = await self._closed(path, text, wanted)

    def _side(self, path: str) -> str:
        """Give whose commit the merge has a file from."""
        return self._sides.ours if path in self._taken else self._sides.theirs

    def _sealed(self, path: str, data: bytes, commit: str) -> Sealed:
        return Sealed.of(path, Clone.blob_id(data), commit, self._crypto.layout)

    def _is_stale(self, path: str, wanted: StoreTree) -> bool:
        """Whether an entry was encrypted under another file of recipients than the merge has."""
        if not path.endswith(self._crypto.layout.extension) or not self._id(wanted, path):
            return False
        side = self._side(path)
        name = path.removesuffix(self._crypto.layout.extension)
        return self._tree(side).wanted_recipients(name) != wanted.wanted_recipients(name)

    async def _closed(self, path: str, text: Plaintext, wanted: StoreTree) -> bytes:
        _, recipients = wanted.recipients_file(posixpath.dirname(path))
        return await self._crypto.encrypt(text, recipients.ids, path)

    def _tree(self, commit: str) -> StoreTree:
        return StoreTree(self._clone.at(commit), self._crypto.layout)

    def _id(self, tree: StoreTree, path: str) -> str | None:
        return tree.blob(path.removesuffix(self._crypto.layout.extension))

    def _blob(self, path: str, side: int) -> bytes | None:
        """Give a file of the base (0), of ours (1), or of theirs (2)."""
        tree = self._clone.at(self._sides.all[side])
        found = tree.entry(path)
        has_bytes = found is not None and (found.is_file or found.is_link)
        return tree.read(found.blob) if found is not None and has_bytes else None


def _merged(
    base: Plaintext | DecryptError | None,
    ours: Plaintext | DecryptError,
    theirs: Plaintext | DecryptError,
) -> Plaintext | Conflict:
    """Merge three texts; what this person cannot decrypt cannot be merged."""
    texts = (base, ours, theirs)
    if any(isinstance(one, DecryptError) for one in texts):
        return Conflict(("the whole entry, which your keys do not open",))
    before, mine, others = (one.reveal() if isinstance(one, Plaintext) else None for one in texts)
    answer = merge(before, mine or b"", others or b"")
    return answer if isinstance(answer, Conflict) else Plaintext(answer.text)
