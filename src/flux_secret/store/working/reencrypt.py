"""Entries whose readers are not who they should be → the same texts, encrypted to whom they should.

1. Compare: who each entry's nearest recipients file names, and whom its message says it is for.
2. Refuse when somebody cannot be encrypted to, before anything is decrypted.
3. In portions: decrypt, encrypt, keep the result as an object of git, remember it (`Progress`).
   Nothing that others see has changed yet; whoever comes after a kill takes up what still fits.
4. Refuse when an entry could not be decrypted, unless the others are wanted all the same.

The change is committed by the draft, with the recipients files that go with it, as one.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flux_secret.errors import AccessError, DecryptError
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.git.clone import Blob
from flux_secret.outside.git.progress import Progress, Step
from flux_secret.store.interface import Audience, Reader
from flux_secret.store.tree import StoreTree
from flux_secret.store.working.audience import Verdict, judge
from flux_secret.store.working.past import Past, pasts
from flux_secret.store.working.store import Draft

_PORTION: Final = 100  # entries whose plaintext is in memory at one time, twice while one follows
_SHOWN: Final = 5
_LISTED: Final = 100  # names in a commit message

Watch = Callable[[int, int], None]
"""Is told how many of how many entries are done."""


@dataclass(frozen=True, slots=True)
class Look:
    """One entry's file as it is, and who should read it."""

    path: str
    """Below the store's root; of what a link leads to."""
    name: str
    """The first entry that leads to it."""
    ids: tuple[str, ...]
    """Whom the recipients file names."""
    recipients: str
    """Which recipients file that is."""
    verdict: Verdict
    past: Past = Past.SAME
    """Whom that file named when the entry was written, where its message does not say it."""

    @property
    def is_right(self) -> bool:
        """Whether nothing speaks against it."""
        return self.verdict.is_right and (self.verdict.is_certain or self.past is not Past.OTHERS)


@dataclass(frozen=True, slots=True)
class Reencrypted:
    """What was done."""

    done: tuple[str, ...]
    """Entries that are encrypted anew."""
    resumed: int
    """How many of them an earlier, interrupted run had done."""
    failed: tuple[DecryptError, ...]
    """Entries that could not be decrypted, each named; they are as they were."""


async def look(draft: Draft, below: str = "") -> list[Look]:
    """Compare every entry below a folder, or one entry, with what the draft wants for it."""
    crypto, after = draft.store.crypto, draft.after()
    readers: dict[str, Sequence[Reader]] = {}
    verdicts: dict[tuple[str, Audience], Verdict] = {}
    found: list[Look] = []
    for path, name in _files(after, below):
        blob = draft.before.blob(name)
        if blob is None:  # is made by this change
            continue
        file, recipients = after.recipients_file(posixpath.dirname(path))
        if file not in readers:
            readers[file] = await crypto.readers(recipients.ids)
        audience = crypto.audience(draft.before.ciphertext(blob))
        if (file, audience) not in verdicts:
            verdicts[file, audience] = judge(audience, readers[file])
        found.append(Look(path, name, recipients.ids, file, verdicts[file, audience]))
    unsure = {one.path for one in found if not one.verdict.is_certain}
    past = await pasts(draft.store, draft.before, unsure, after)
    return [replace(one, past=past[one.path]) if one.path in past else one for one in found]


def _files(tree: StoreTree, below: str) -> Iterator[tuple[str, str]]:
    """Give each file that holds entries once, with the first entry's name that leads to it."""
    seen: set[str] = set()
    for name in tree.names:
        if below and name != below and not name.startswith(f"{below}/"):
            continue
        path = tree.file(name)
        if path is not None and path not in seen:
            seen.add(path)
            yield path, name


async def reencrypt(
    draft: Draft, looks: Sequence[Look], *, keep_going: bool = False, watch: Watch | None = None
) -> Reencrypted:
    """Encrypt these entries anew, into the draft."""
    for ids, where in {one.ids: one.recipients for one in looks}.items():
        place = draft.store.place(posixpath.dirname(where))
        await draft.store.crypto.ensure_usable(ids, place)
    work = _Work(draft, looks, watch)
    await work.run()
    if work.failed and not keep_going:
        raise _refused(work.failed)
    for path, sealed in work.sealed.items():
        draft.reseal(path, sealed)
    return Reencrypted(
        tuple(one.name for one in looks if one.path in work.sealed),
        work.resumed,
        tuple(work.failed),
    )


def _refused(failed: Sequence[DecryptError]) -> AccessError:
    more = f", and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return AccessError(
        f"{len(failed)} of the entries cannot be decrypted; nothing was changed: "
        + "; ".join(one.what for one in failed[:_SHOWN])
        + more,
        remedy="have somebody do it who can read them, or do the others: --keep-going",
    )


class _Work:
    """One re-encryption that is going on."""

    def __init__(self, draft: Draft, looks: Sequence[Look], watch: Watch | None) -> None:
        self.sealed: dict[str, bytes | Blob] = {}
        self.failed: list[DecryptError] = []
        self.resumed = 0
        self._draft, self._looks = draft, looks
        self._crypto, self._clone = draft.store.crypto, draft.store.clone
        self._watch = watch or (lambda _done, _all: None)
        self._done = 0
        self._progress = Progress(self._clone.git_dir) if self._clone else None
        self._words: dict[str, str] = {}

    async def run(self) -> None:
        """Go through all; a portion is decrypted while the one before it is encrypted."""
        steps = {(one.path, one.old, one.wanted): one.new for one in self._remembered()}
        left = [one for one in self._looks if not await self._resumed(one, steps)]
        portions = [left[at : at + _PORTION] for at in range(0, len(left), _PORTION)]
        texts = self._decrypting(portions[0]) if portions else None
        for portion, following in itertools.zip_longest(portions, portions[1:]):
            assert texts is not None  # noqa: S101 -- there is one for each portion
            opened = await texts
            texts = self._decrypting(following) if following else None
            try:
                await self._sealed(portion, opened)
            except BaseException:
                if texts is not None:
                    texts.cancel()
                raise

    def _decrypting(self, portion: Sequence[Look]) -> asyncio.Task[list[Plaintext | DecryptError]]:
        names = [one.name for one in portion]
        return asyncio.ensure_future(self._draft.store.read_all(names, self._draft.before))

    async def _sealed(
        self, portion: Sequence[Look], opened: Sequence[Plaintext | DecryptError]
    ) -> None:
        sealed: list[tuple[Look, bytes]] = []
        for one, text in zip(portion, opened, strict=True):
            if isinstance(text, DecryptError):
                self.failed.append(text)
                continue
            where = self._draft.store.full(one.name)
            sealed.append((one, await self._crypto.encrypt(text, one.ids, where)))
            await asyncio.sleep(0)  # so that the next portion's gpg is served
        if self._clone is None or self._progress is None:
            self.sealed |= {one.path: data for one, data in sealed}
        else:
            blobs = await self._clone.keep_all([data for _, data in sealed])
            kept = [(one, blob) for (one, _), blob in zip(sealed, blobs, strict=True)]
            self.sealed |= {one.path: blob for one, blob in kept}
            self._progress.add(
                [
                    Step(one.path, self._old(one), await self._wanted(one), blob.id)
                    for one, blob in kept
                ]
            )
        self._done += len(portion)
        self._watch(self._done, len(self._looks))

    def _remembered(self) -> Iterable[Step]:
        return self._progress.steps() if self._progress else ()

    async def _resumed(self, one: Look, steps: dict[tuple[str, str, str], str]) -> bool:
        """Take up what an interrupted run has done, if it is whole and for the right people."""
        if self._clone is None or not steps:
            return False
        new = steps.get((one.path, self._old(one), await self._wanted(one)))
        message = self._clone.kept(Blob(new)) if new else None
        if not new or message is None:
            return False
        readers = await self._crypto.readers(one.ids)
        verdict = judge(self._crypto.audience(message), readers)
        if not verdict.is_right:
            return False
        self.sealed[one.path] = Blob(new)
        self.resumed += 1
        self._done += 1
        return True

    def _old(self, one: Look) -> str:
        blob = self._draft.before.blob(one.name)
        assert blob is not None and self._clone is not None  # noqa: S101, PT018 -- it was looked at
        return self._clone.blob_id(self._draft.before.ciphertext(blob))

    async def _wanted(self, one: Look) -> str:
        """Give whom an entry is for as one word: the ids, and what messages for them name."""
        if one.recipients not in self._words:
            digest = hashlib.sha256()
            for reader in await self._crypto.readers(one.ids):
                words = [reader.id, reader.fingerprint, *sorted(reader.marks)]
                digest.update(" ".join(words).encode(errors="surrogateescape") + b"\n")
            self._words[one.recipients] = digest.hexdigest()
        return self._words[one.recipients]


def message(names: Sequence[str]) -> str:
    """Give the commit's message: how many entries, and which."""
    if len(names) == 1:
        return f"Re-encrypt {names[0]}"
    listed = "".join(f"- {name}\n" for name in names[:_LISTED])
    more = f"- and {len(names) - _LISTED} more\n" if len(names) > _LISTED else ""
    return f"Re-encrypt {len(names)} entries\n\n{listed}{more}"
