"""A store's tree → who can read each entry, from git alone: no key and no gpg is asked for it.

1. The nearest recipients file names who is to read. An id of 16 hex digits or more can mean one
   key only. A name, an address or a short id means every key of `.public-keys` that fits: whoever
   changes those files changes who reads.
2. A file of `.public-keys` under somebody's id that holds another key is counted: programs take it.
3. The message itself says whom it is for. Whom the file does not name is an extra reader.
4. A message names subkeys. That a subkey is somebody's is believed only when their own signature
   says so; else anybody could write themselves into somebody else's key file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pysequoia

from flux_secret.errors import AccessError
from flux_secret.model.access import Circle, Holder, Named, Sealed, StoreAccess
from flux_secret.store.crypto.agerecipients import AgeRecipient, short
from flux_secret.store.crypto.agerecipients import parse as parse_age
from flux_secret.store.crypto.attempt import attempt
from flux_secret.store.crypto.packets import HIDDEN, key_ids, message, public_keys, recipients
from flux_secret.store.interface import Commit
from flux_secret.store.tree import AGE, StoreTree, layout_of
from flux_secret.store.working.exports import EXPORTS, OLDER_EXPORTS

MAX_KEY_FILE: Final = 1024 * 1024  # bytes
MAX_KEY_FILES: Final = 10_000
_HEX: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{8}|[0-9a-fA-F]{16}|[0-9a-fA-F]{40,64})\Z")
_FULL: Final = 16  # hex digits from which on an id means one key; fewer collide at will


@dataclass(frozen=True, slots=True)
class Certificate:
    """A public key, as a store or a keyring has it."""

    fingerprint: str
    names: tuple[str, ...]
    proven: frozenset[str]
    """Ids (16 hex digits) of the key and of those subkeys that its owner signed."""
    claimed: frozenset[str] = frozenset()
    """Ids of all its subkeys, whoever put them there."""
    file: str = ""
    """Where the store has it."""

    @property
    def holder(self) -> Holder:
        """Whose it is."""
        return Holder(self.fingerprint, self.names[0] if self.names else "")

    def fits(self, text: str) -> bool:
        """Say whether a program may take it for what a recipients file says."""
        if match := _HEX.match(text):
            digits = match[1].upper()
            return self.fingerprint.endswith(digits) or any(
                one.endswith(digits) for one in self.proven
            )
        return any(text.casefold() in name.casefold() for name in self.names)


def certificates(commit: Commit) -> tuple[list[Certificate], list[str]]:
    """Give the keys that a store keeps, and what is wrong with their files."""
    found: list[Certificate] = []
    findings: list[str] = []
    for folder in (EXPORTS, OLDER_EXPORTS):
        for number, entry in enumerate(commit.children(folder)):
            path = f"{folder}/{entry.name}"
            if not entry.is_file or number >= MAX_KEY_FILES:
                findings.append(f"{path} is not read: it is no plain file, or one too many")
            elif commit.size(entry.blob) > MAX_KEY_FILE:
                findings.append(f"{path} is not read: it has more than {MAX_KEY_FILE} bytes")
            else:
                keys = [*_parsed(commit.read(entry.blob), path)]
                found += keys
                if len(keys) != 1:
                    findings.append(f"{path} holds {len(keys)} public keys that can be read, not 1")
    return found, findings


def _parsed(data: bytes, path: str) -> Iterator[Certificate]:
    for piece in public_keys(data):
        certificate = attempt(partial(pysequoia.Cert.from_bytes, piece))
        if certificate is None:
            continue
        fingerprint = certificate.fingerprint.upper()
        claimed = frozenset(key_ids(piece))
        # What sequoia encrypts to it has checked: the subkeys that the owner's signature binds.
        sealed = attempt(partial(pysequoia.encrypt, b"", recipients=[certificate], armor=False))
        proven = {*recipients(bytes(sealed or b"")), *key_ids(piece)[:1]} & claimed
        names = tuple(str(name) for name in certificate.user_ids)
        yield Certificate(fingerprint, names, frozenset(proven), claimed, path)


class Readership:
    """Reads who can read one store; each recipients file and each message once."""

    def __init__(
        self,
        commit: Commit,
        keyring: Iterable[Certificate] = (),
        other: Iterable[Certificate] = (),
        messages: dict[str, tuple[frozenset[str], int]] | None = None,
    ) -> None:
        """`keyring` are a person's own keys, which names are looked up in too.

        `other` are keys that say no more than whose a full id is: those of another commit.
        `messages` keeps what messages say of their recipients, by object id: two commits share it.
        """
        layout = layout_of(commit)
        self._tree = StoreTree(commit, layout)
        self._is_age = layout is AGE
        kept, self.findings = ([], []) if self._is_age else certificates(commit)
        self._kept = kept
        self._named_in = [*kept, *keyring]
        self._all = [*self._named_in, *other]
        self._proven = {mark: one.holder for one in reversed(self._all) for mark in one.proven}
        self._claimed = {mark: one.holder for one in reversed(self._all) for mark in one.claimed}
        self._circles: dict[str, Circle] = {}
        self._messages = {} if messages is None else messages

    def access(self, store: str) -> StoreAccess:
        """Give every entry with its readers, by name."""
        prefix = f"{store}/" if store else ""
        sealed = [one for name in self._tree.names if (one := self._sealed(name, prefix))]
        return StoreAccess(store, tuple(sealed), tuple(dict.fromkeys(self.findings)))

    def written(self) -> tuple[str, ...]:
        """Give everybody whom a recipients file names, as gpg can be asked for them."""
        if self._is_age:
            return ()
        found: set[str] = set()
        for folder in self._tree.recipients_files:
            with contextlib.suppress(AccessError):
                found.update(self._tree.recipients_file(folder)[1].ids)
        return tuple(sorted(one.removesuffix("!") for one in found))

    def _sealed(self, name: str, prefix: str) -> Sealed | None:
        try:
            file, blob = self._tree.file(name), self._tree.blob(name)
        except AccessError as error:
            self.findings.append(error.what)
            return None
        if file is None or blob is None:
            return None
        circle = self._circle(file.rpartition("/")[0])
        marks, hidden = self._marks(blob)
        if not marks:
            return Sealed(f"{prefix}{name}", blob, circle, hidden=hidden)
        met = {one.holder for one in circle.named}
        read = {self._of_mark(mark) for mark in marks}
        lacking = () if hidden else tuple(sorted(met - read))
        return Sealed(f"{prefix}{name}", blob, circle, tuple(sorted(read - met)), lacking, hidden)

    def _marks(self, blob: str) -> tuple[frozenset[str], int]:
        """Give the ids that a message names, and how many it hides; age names nobody."""
        if self._is_age:
            return frozenset(), 0
        if blob not in self._messages:
            ids = message(self._tree.ciphertext(blob)).key_ids
            self._messages[blob] = frozenset(ids) - {HIDDEN}, ids.count(HIDDEN)
        return self._messages[blob]

    def _of_mark(self, mark: str) -> Holder:
        if mark in self._proven:
            return self._proven[mark]
        if mark in self._claimed:
            said = f"said to be of {self._claimed[mark]}: expired, or not theirs"
            return Holder(f"0x{mark}", said)
        return Holder(f"0x{mark}", "a key that the store does not keep")

    def _circle(self, folder: str) -> Circle:
        nearest = self._tree.nearest(folder)
        if nearest not in self._circles:
            try:
                file, recipients_file = self._tree.recipients_file(folder)
            except AccessError as error:
                self.findings.append(error.what)
                self._circles[nearest] = Circle(nearest)
            else:
                named = [who for one in recipients_file.ids for who in self._named(one)]
                self._circles[nearest] = Circle(file, tuple(named))
        return self._circles[nearest]

    def _named(self, written: str) -> Sequence[Named]:
        if self._is_age:
            age = parse_age(written)
            public = age.public if isinstance(age, AgeRecipient) else short(written)
            comment = written.removeprefix(public).strip() if public in written else ""
            return [Named(Holder(public, comment), short(written))]
        bare = written.removesuffix("!")
        match = _HEX.match(bare)
        bound = match is not None and len(match[1]) >= _FULL
        fitting = [one for one in (self._all if bound else self._named_in) if one.fits(bare)]
        paths = {f"{folder}/{written}" for folder in (EXPORTS, OLDER_EXPORTS)}
        swapped = [one for one in self._kept if one.file in paths and one not in fitting]
        named = {one.fingerprint: Named(one.holder, written, _doubt(one, bound)) for one in fitting}
        if not named:
            key = f"0x{match[1].upper()[-_FULL:]}" if match and bound else written
            named[key] = Named(Holder(key), written, "" if bound else _NAMES.format(written))
        for one in swapped:
            doubt = f"{one.file} holds this key, which is not {written}"
            named.setdefault(one.fingerprint, Named(one.holder, written, doubt))
            self.findings.append(f"{doubt}: {one.holder}")
        if not bound and len(fitting) > 1:
            who = " and ".join(sorted(str(one.holder) for one in fitting))
            self.findings.append(f"the recipient {written} may mean {who}")
        return [named[key] for key in sorted(named)]


_NAMES: Final = "{} is a name, which means whatever key a keyring has for it"


def _doubt(one: Certificate, bound: bool) -> str:  # noqa: FBT001 -- what it is about
    where = f"{one.file} says" if one.file else "your keyring says"
    return "" if bound else f"a name, which means this key because {where} so"
