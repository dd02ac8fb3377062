"""Look-ups → values, from stores pinned at one commit each; every question is noted first.

What is given is on the record before it is given: no read is unrecorded (design §2). One that
cannot be recorded is refused. A read that fails, is empty or is refused is remembered: it poisons
the whole generation, whatever the script that asked makes of it (design decision 2).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from flux_secret.errors import (
    AccessError,
    DecryptError,
    EmptyValueError,
    EntryNotFoundError,
    FluxSecretError,
    ReadRefusedError,
    RecordError,
)
from flux_secret.model.delivery import Read, StoreRevision
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.owners import OWNERS_FILE
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.store import covers
from flux_secret.model.target import Target
from flux_secret.store.composed import AnyTree
from flux_secret.store.crypto.agerecipients import stanzas
from flux_secret.store.crypto.packets import HIDDEN, recipients
from flux_secret.store.format.document import SecretDocument
from flux_secret.store.format.names import meant
from flux_secret.store.interface import Decryptor, Decryptors
from flux_secret.store.owned import ReadRule, ReadRules
from flux_secret.store.recorded import Given, Reads
from flux_secret.store.refusal import Unopened, explained
from flux_secret.store.tree import AGE, Located, StoreTree

MAX_CIPHERTEXT: Final = 8 * 1024 * 1024  # bytes; a Secret holds at most 1 MiB
MAX_PLAINTEXT: Final = 16 * 1024 * 1024  # bytes; compressed messages may grow


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry's place: its store's tree, its name there, its ciphertext."""

    store: StoreName
    tree: StoreTree
    name: str
    blob: str


@dataclass(frozen=True, slots=True)
class About:
    """What whoever pinned the stores says of them."""

    notes: Sequence[str] = ()
    """What people should know."""
    revisions: Mapping[StoreName, StoreRevision] | None = None
    """None: the commit of each tree."""
    rules: Mapping[StoreName, Sequence[ReadRule]] = field(default_factory=dict)
    """Who may read what, as owners say."""
    cluster: str = ""
    """What they call the cluster."""


NOTHING: Final = About()


class PinnedStores:
    """Answers one delivery's questions."""

    def __init__(
        self,
        target: Target,
        trees: Mapping[StoreName, AnyTree],
        decryptors: Decryptors,
        reads: Reads,
        about: About = NOTHING,
    ) -> None:
        """Begin; each question is noted in `reads` before it is answered."""
        self._target = target
        self._trees = trees
        self.notes = tuple(about.notes)
        """What people should know of the stores."""
        self.revisions = about.revisions or {
            name: StoreRevision(tree.commit) for name, tree in trees.items()
        }
        """The commit of each store that may be read."""
        self._rules = {name: ReadRules(rules) for name, rules in about.rules.items()}
        self._cluster = about.cluster
        self._longest_first = sorted(trees, key=lambda name: -name.value.count("/"))
        self._decryptors = decryptors
        self._reads = reads
        self._documents: dict[tuple[StoreName, str], SecretDocument] = {}
        self._opened_by: dict[tuple[StoreName, str], Sequence[str]] = {}
        self._handed_out: list[tuple[Lookup, Plaintext]] = []
        self._refusal: FluxSecretError | None = None
        self.listed = False
        """Whether anybody asked which entries there are."""

    @property
    def refusal(self) -> FluxSecretError | None:
        """The first read that failed."""
        return self._refusal

    @property
    def handed_out(self) -> Sequence[tuple[Lookup, Plaintext]]:
        """Every value given away so far."""
        return tuple(self._handed_out)

    async def read(self, lookup: Lookup, reason: str = "") -> Plaintext:
        """Answer, or raise `AccessError` or `RecordError`; the question is noted before the answer.

        `reason` says who asks, for the record: a place in the repository.
        """
        found: _Found | None = None
        try:
            found = self._find(lookup)
            value = await self._value(lookup, found)
            await self._reads.given([self._given(lookup, found, reason)])
        except FluxSecretError as failure:
            self._refusal = self._refusal or failure
            refused = self._note(lookup, found, failure)
            if not isinstance(failure, RecordError):  # it would fail once more
                await self._reads.refused(refused, failure, reason)
            raise
        self._note(lookup, found, None)
        answer = Plaintext(value)
        self._handed_out.append((lookup, answer))
        return answer

    async def foresee(self, asked: Iterable[tuple[Lookup, str]]) -> None:
        """Record at once what is going to be read, and why: one write instead of one a question.

        What cannot be read is left for `read` to refuse. Raises `RecordError`.
        """
        soon = []
        for lookup, reason in asked:
            with contextlib.suppress(FluxSecretError):
                found = self._find(lookup)
                await self._value(lookup, found)
                soon.append(self._given(lookup, found, reason))
        try:
            await self._reads.given(soon)
        except FluxSecretError as failure:
            self._refusal = self._refusal or failure
            raise

    async def entries(self, prefix: str) -> Sequence[SecretPath]:
        """List the entries below a folder, or all; sorted bytewise."""
        self.listed = True
        folder = tuple(part for part in prefix.split("/") if part)
        paths = [
            SecretPath((*str(store).split("/"), *name.split("/")))
            for store, tree in self._trees.items()
            for name in tree.names
            if self._may(store, name) and not self._refused(store, name)
        ]
        wanted = [path for path in paths if path.parts[: len(folder)] == folder]
        return sorted(wanted, key=lambda path: str(path).encode())

    def recipients(self, path: SecretPath) -> Sequence[str]:
        """Give the ids of the keys that an entry is encrypted to; nothing is decrypted.

        Each recipient of an age message is a hidden one.
        """
        found = self._find(Lookup(path))
        if found.tree.size(found.blob) > MAX_CIPHERTEXT:
            return ()
        ciphertext = found.tree.ciphertext(found.blob)
        if found.tree.layout is AGE:
            return [HIDDEN] * len(stanzas(ciphertext) or ())
        return recipients(ciphertext)

    def would_repeat(self, read: Read) -> bool:
        """Whether a question that was answered once would be answered from the same ciphertext."""
        try:
            found = self._find(read.lookup)
        except AccessError:
            return False
        return (found.store, found.blob) == (read.store, read.blob)

    def _note(self, lookup: Lookup, found: _Found | None, error: FluxSecretError | None) -> Read:
        store = found.store if found else self._mount(lookup.path)
        name = store and lookup.path.under(store)
        commit = self._trees[store].at(name or "").commit if store else ""
        commit = found.tree.commit if found else commit
        read = Read(lookup, store, commit, found.blob if found else "", error)
        self._reads.asked(read)
        return read

    def _given(self, lookup: Lookup, found: _Found, reason: str) -> Given:
        read = Read(lookup, found.store, found.tree.commit, found.blob)
        return Given(read, reason, self._opened_by.get((found.store, found.blob), ()))

    async def _value(self, lookup: Lookup, found: _Found) -> bytes:
        value = (await self._document(found)).part(lookup)
        if not value.strip(b"\r\n"):
            raise EmptyValueError(
                f"{lookup} is empty in store {found.store} at {found.tree.commit[:12]}",
                remedy=f"set a value: gopass edit {quote(str(lookup.path))}",
            )
        return value

    def _mount(self, path: SecretPath) -> StoreName | None:
        """Find the store of an entry: the longest mount name wins, as in gopass."""
        return next((name for name in self._longest_first if path.under(name) is not None), None)

    def _find(self, lookup: Lookup) -> _Found:
        store = self._mount(lookup.path)
        if store is None:
            names = ", ".join(map(str, self._trees)) or "none"
            raise ReadRefusedError(
                f"{lookup.path} lies in no store that target {self._target.name} may read "
                f"(it may read: {names})",
                remedy=f"add it: --store {lookup.path.parts[0]}=URL",
            )
        tree, name = self._trees[store], lookup.path.under(store) or ""
        self._check(lookup, store, name)
        located = tree.find(name)
        if located is None:
            hint = meant(str(lookup.path), (f"{store}/{other}" for other in tree.names))
            raise EntryNotFoundError(
                f"no entry {lookup.path} in store {store} at {tree.at(name).commit[:12]}",
                remedy=f"{hint}add it: gopass insert {quote(str(lookup.path))}, then gopass sync",
            )
        self._check_link(lookup, store, name, located)
        return _Found(store, located.tree, name, located.blob)

    def _check_link(self, lookup: Lookup, store: StoreName, name: str, found: Located) -> None:
        """Raise `AccessError` for a link out of what its owners answer for."""
        file = found.path.removesuffix(found.tree.layout.extension)
        if file == name:
            return
        self._check_grant(lookup, store, file)
        rules = self._rules.get(store)
        if rules is None:
            return
        rule = rules.of(name)
        if rule is not None and rules.of(file) != rule:
            raise AccessError(
                f"{lookup.path} is a link to {store}/{file}, for which its owners do not answer",
                remedy="copy it instead: flux-secret store cp",
            )
        self._check_rule(lookup, store, file)

    def _check_rule(self, lookup: Lookup, store: StoreName, name: str) -> None:
        """Raise `ReadRefusedError` for what owners do not let this target read."""
        if why := self._refused(store, name):
            raise ReadRefusedError(
                f"{lookup.path} may not be read by {self._target.name}: {why}",
                remedy=f"let its owners name it under readers of {OWNERS_FILE} in store {store}",
            )

    def _refused(self, store: StoreName, name: str) -> str:
        rules = self._rules.get(store)
        rule = rules.of(name) if rules else None
        return rule.refuses(self._target.name, self._cluster) if rule else ""

    def _check(self, lookup: Lookup, store: StoreName, name: str) -> None:
        """Raise `ReadRefusedError` for what nobody lets this target read (design decision 14)."""
        self._check_rule(lookup, store, name)
        self._check_grant(lookup, store, name)

    def _check_grant(self, lookup: Lookup, store: StoreName, name: str) -> None:
        if self._may(store, name):
            return
        leads = "" if lookup.path.under(store) == name else f" (it leads to {store}/{name})"
        paths = ", ".join((self._target.grants or {}).get(store, ())) or "nothing"
        raise ReadRefusedError(
            f"{lookup.path}{leads} may not be read by {self._target.name}: Store {store} lets its "
            f"namespace read {paths}",
            remedy=f"let the store's administrator name the path under spec.readers of Store "
            f"{store}",
        )

    def _may(self, store: StoreName, name: str) -> bool:
        grants = self._target.grants
        return grants is None or covers(grants.get(store, ()), name)

    def _decryptor(self, found: _Found) -> Decryptor:
        return self._decryptors.age if found.tree.layout is AGE else self._decryptors.openpgp

    async def _document(self, found: _Found) -> SecretDocument:
        known = self._documents.get((found.store, found.blob))
        if known is None:
            known = SecretDocument.parse((await self._decrypt(found)).reveal())
            self._documents[found.store, found.blob] = known
        return known

    async def _decrypt(self, found: _Found) -> Plaintext:
        where = f"{found.store}/{found.name} at {found.tree.commit[:12]}"
        if found.tree.size(found.blob) > MAX_CIPHERTEXT:
            raise AccessError(
                f"{where} is larger than {MAX_CIPHERTEXT} bytes",
                remedy="keep large files elsewhere; a Secret holds at most 1 MiB",
            )
        ciphertext = found.tree.ciphertext(found.blob)
        try:
            plain = await self._decryptor(found).decrypt(ciphertext)
        except DecryptError as failure:
            unopened = Unopened(where, found.store, found.tree, found.name, found.blob)
            raise explained(unopened, self._decryptor(found), failure) from None
        size = len(plain.reveal())
        if size > MAX_PLAINTEXT:
            raise AccessError(f"{where} decrypts to more than {MAX_PLAINTEXT} bytes")
        if size == 0:
            raise EmptyValueError(
                f"{where} decrypts to nothing", remedy="look at it with `gopass show`, set it again"
            )
        self._opened_by[found.store, found.blob] = self._keys(found, ciphertext)
        return plain

    def _keys(self, found: _Found, ciphertext: bytes) -> Sequence[str]:
        """Say which of the keys opened a message, as far as it names them."""
        held = self._decryptor(found).key_ids
        named = () if found.tree.layout is AGE else recipients(ciphertext)
        return [key for key in held if key in named] or held
