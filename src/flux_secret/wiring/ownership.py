"""A person's store → the facts that `owners check` judges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from flux_secret.access.content import owners_at
from flux_secret.access.keys import FOLDERS, OWN
from flux_secret.access.openpgp import Certificates
from flux_secret.access.ownership import Ownership
from flux_secret.errors import FluxSecretError
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import OWNERS_FILE, Owners, parse_owners
from flux_secret.outside.git.remote import Remote
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.settings.person import PersonSettings
from flux_secret.store.tree import AGE
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.owning import refuse_lockout


async def ownership(
    store: WorkingStore, owners: Owners | None = None, keys: Iterable[bytes] = ()
) -> Ownership:
    """Look at the folder as it is, or as it would be with another owners file and more keys."""
    there = store.folder.entry(OWNERS_FILE) is not None
    if owners is None and there:
        owners = owners_at(store.folder)
    known = certificates_of(store.folder)
    for key in keys:
        known.add(key)
    tree = store.tree()
    names = tree.names if owners else ()
    by_file = {name: tree.wanted_recipients(name) for name in names}
    ids = tuple(dict.fromkeys(one for wanted in by_file.values() for one in wanted))
    readers = dict(zip(ids, await store.crypto.readers(ids), strict=True)) if ids else {}

    def reading(name: str) -> frozenset[str]:
        written = {" ".join(one.split()[:2]) for one in by_file[name]}
        return frozenset(written | {readers[one].fingerprint.upper() for one in by_file[name]})

    def problem(key: OwnerKey) -> str:
        return known.problem(key.id) if key.kind is KeyKind.OPENPGP else ""

    is_age = store.crypto.layout is AGE
    return Ownership(
        store=store.name,
        owners=owners,
        entries=tree.names,
        problem=problem,
        expires=lambda key: known.expires(key.id),
        readers={name: reading(name) for name in names},
        reading=frozenset({KeyKind.SSH if is_age else KeyKind.OPENPGP}),
        now=datetime.now(UTC),
    )


def certificates_of(folder: WorkFolder, places: Sequence[str] = FOLDERS) -> Certificates:
    """Give the keys of the store's folder."""
    found = Certificates()
    for place in places:
        for one in folder.children(place):
            if one.is_file:
                found.add(folder.read(one.blob))
    return found


async def keys_to_bring(
    store: WorkingStore, settings: PersonSettings, owners: Owners
) -> Mapping[str, bytes]:
    """Give owners' keys that the store lacks, or keeps for us and has otherwise than the person.

    By the file that they are to lie in. An older copy does no harm: all that ever lay there count.
    """
    exported = certificates_of(store.folder, FOLDERS[:-1]).fingerprints
    keyring, found = _keyring(settings), {}
    for key in sorted(owners.keys):
        if key.kind is KeyKind.OPENPGP and key.id not in exported:
            path = f"{OWN}/{key.id}.asc"
            text, stored = await keyring.export(key.id, armor=True), store.tree().plain_file(path)
            if text and text != stored:
                found[path] = text
    return found


async def own_keys(settings: PersonSettings) -> list[OwnerKey]:
    """Give the keys of the person's keyring that they can sign with."""
    keys = await _keyring(settings).secret_keys()
    return [OwnerKey(KeyKind.OPENPGP, key.fingerprint) for key in keys if not key.problem]


def _keyring(settings: PersonSettings) -> Keyring:
    gpg = Gpg(path=settings.tool_path, home=settings.gnupg_home, terminal=settings.pinentry_env)
    return Keyring(gpg)


async def refuse_to_share(store: WorkingStore) -> None:
    """Raise when a push would bring an owners file that is wrong, or locks everybody out.

    One that others have pushed is no reason: then a sync has to be possible, to mend it.
    """
    clone = store.clone
    head = await clone.head() if clone else None
    remote = await Remote.of(clone) if clone else None
    if clone is None or head is None or remote is None:
        return
    ours, seen = clone.file(head, OWNERS_FILE), await remote.seen()
    if ours is None or (seen is not None and clone.file(seen, OWNERS_FILE) == ours):
        return
    try:
        owners = parse_owners(ours)
        known = await ownership(store, owners)
        refuse_lockout(owners, known.problem, store.place(""))
    except FluxSecretError as error:
        raise type(error)(
            error.what, remedy=f"mend it before it is shared: flux-secret owners edit {store.name}"
        ) from None
