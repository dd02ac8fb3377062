"""Questions to pinned stores: noted first, refused for a reason, remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from flux_secret.errors import (
    AccessError,
    DecryptError,
    EmptyValueError,
    EntryNotFoundError,
    KeyNotFoundError,
    ReadRefusedError,
)
from flux_secret.model.delivery import Read
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import SecretPath, StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup, Part
from flux_secret.model.target import Source, Target
from flux_secret.store.crypto.age import AgeDecryptor
from flux_secret.store.crypto.ageidentities import Identities
from flux_secret.store.interface import Decryptors
from flux_secret.store.reader import PinnedStores
from flux_secret.store.recorded import Reads
from flux_secret.store.tree import StoreTree

COMMIT = "c" * 40
APPS = StoreName.parse("apps")


@dataclass(frozen=True)
class FakeEntry:
    name: str
    blob: str
    is_folder: bool = False
    is_link: bool = False

    @property
    def is_file(self) -> bool:
        return not (self.is_folder or self.is_link)


class FakeCommit:
    """A tree from a dict; a value that starts with `->` is a link."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.commit = COMMIT

    def entry(self, path: str) -> FakeEntry | None:
        if path in self._files:
            link = self._files[path].startswith(b"->")
            return FakeEntry(path.rpartition("/")[2], path, is_link=link)
        if any(name.startswith(f"{path}/") for name in self._files) or not path:
            return FakeEntry(path.rpartition("/")[2], "", is_folder=True)
        return None

    def children(self, path: str) -> Iterator[FakeEntry]:
        start = f"{path}/" if path else ""
        names = {name[len(start) :].split("/")[0] for name in self._files if name.startswith(start)}
        for name in sorted(names):
            found = self.entry(start + name)
            assert found is not None
            yield found

    def size(self, blob: str) -> int:
        return len(self._files[blob])

    def read(self, blob: str) -> bytes:
        return self._files[blob].removeprefix(b"->")


class FakeDecryptor:
    """Ciphertext is the plaintext with `ENC:` before it."""

    key_ids = ("0123456789ABCDEF",)

    async def decrypt(self, ciphertext: bytes) -> Plaintext:
        if not ciphertext.startswith(b"ENC:"):
            raise DecryptError("no private key for it here")
        return Plaintext(ciphertext.removeprefix(b"ENC:"))


def pinned(**stores: Mapping[str, bytes]) -> tuple[PinnedStores, list[Read]]:
    trees = {StoreName.parse(name): StoreTree(FakeCommit(files)) for name, files in stores.items()}
    target = Target(Source(GitUrl.parse("file:///ops"), "main"), "demo", frozenset(trees))
    reads: list[Read] = []
    return PinnedStores(
        target, trees, Decryptors(FakeDecryptor(), AgeDecryptor(Identities())), Reads(reads)
    ), reads


def whole(name: str) -> Lookup:
    return Lookup(SecretPath.parse(name))


async def test_an_entry_is_read_and_noted_with_commit_and_blob() -> None:
    reader, reads = pinned(apps={"demo/db.gpg": b"ENC:pw\n"})
    assert (await reader.read(whole("apps//demo//db"))).reveal() == b"pw\n"
    assert [(read.store, read.commit, read.blob, read.error) for read in reads] == [
        (APPS, COMMIT, "demo/db.gpg", None)
    ]
    assert reader.refusal is None


async def test_a_missing_entry_names_store_commit_and_what_is_near() -> None:
    reader, reads = pinned(apps={"demo/db.gpg": b"ENC:pw"})
    with pytest.raises(
        EntryNotFoundError, match=r"no entry apps/demo/bd in store apps at cccc"
    ) as it:
        await reader.read(whole("apps/demo/bd"))
    assert "apps/demo/db" in it.value.remedy
    assert reader.refusal is it.value
    assert reads[0].error is it.value
    with pytest.raises(EntryNotFoundError) as quoted:
        await reader.read(whole("apps/demo/$(id)"))
    assert "gopass insert 'apps/demo/$(id)', then" in quoted.value.remedy


async def test_the_first_refusal_stays_even_after_good_reads() -> None:
    reader, _ = pinned(apps={"a.gpg": b"ENC:x", "b.gpg": b"broken"})
    with pytest.raises(DecryptError) as first:
        await reader.read(whole("apps/b"))
    with pytest.raises(EntryNotFoundError):
        await reader.read(whole("apps/c"))
    await reader.read(whole("apps/a"))
    assert reader.refusal is first.value


@pytest.mark.parametrize("plain", [b"", b"\n", b"\r\n\n"])
async def test_an_empty_entry_is_refused(plain: bytes) -> None:
    reader, _ = pinned(apps={"a.gpg": b"ENC:" + plain})
    with pytest.raises(EmptyValueError):
        await reader.read(whole("apps/a"))


async def test_an_empty_key_is_refused() -> None:
    reader, _ = pinned(apps={"a.gpg": b"ENC:pw\nuser: \n"})
    with pytest.raises(EmptyValueError):
        await reader.read(Lookup(SecretPath.parse("apps/a"), Part.KEY, "user"))


async def test_a_store_that_the_target_may_not_read_is_refused() -> None:
    reader, _ = pinned(apps={"a.gpg": b"ENC:x"})
    with pytest.raises(ReadRefusedError, match="it may read: apps"):
        await reader.read(whole("admin/technical/key"))


async def test_the_longest_mount_wins() -> None:
    mounts = {"apps": {"prod/db.gpg": b"ENC:outer"}, "apps/prod": {"db.gpg": b"ENC:inner"}}
    reader, _ = pinned(**mounts)
    assert (await reader.read(whole("apps/prod/db"))).reveal() == b"inner\n"


async def test_a_link_is_followed_inside_the_store_only() -> None:
    reader, _ = pinned(
        apps={
            "x/to.gpg": b"->../from.gpg", "from.gpg": b"ENC:v",
            "out.gpg": b"->../../etc/passwd.gpg", "a.gpg": b"->b.gpg", "b.gpg": b"->a.gpg",
        }
    )  # fmt: skip
    assert (await reader.read(whole("apps/x/to"))).reveal() == b"v\n"
    for name in ("apps/out", "apps/a"):
        with pytest.raises(AccessError, match="leads"):
            await reader.read(whole(name))


async def test_a_link_leads_to_nothing_that_the_target_may_not_read() -> None:
    files = {"dev/to.gpg": b"->../prod/db.gpg", "prod/db.gpg": b"ENC:v", "dev/x.gpg": b"->y.gpg",
             "dev/y.gpg": b"ENC:y"}  # fmt: skip
    trees = {APPS: StoreTree(FakeCommit(files))}
    source = Source(GitUrl.parse("file:///ops"), "main")
    target = Target(source, "demo", frozenset(trees), grants={APPS: ("dev",)})
    reader = PinnedStores(
        target, trees, Decryptors(FakeDecryptor(), AgeDecryptor(Identities())), Reads([])
    )
    assert (await reader.read(whole("apps/dev/x"))).reveal() == b"y\n"
    with pytest.raises(ReadRefusedError, match="it leads to apps/prod/db"):
        await reader.read(whole("apps/dev/to"))


async def test_a_message_for_others_names_the_recipients() -> None:
    pkesk = b"\x84\x0c\x03" + bytes.fromhex("FEDCBA9876543210") + b"\x12\x00\x00"
    reader, _ = pinned(apps={"a.gpg": pkesk, ".gpg-id": b"0xFEDCBA9876543210 # person\n"})
    with pytest.raises(DecryptError) as caught:
        await reader.read(whole("apps/a"))
    assert "encrypted to FEDCBA9876543210" in caught.value.what
    assert "not encrypted to this agent's keys (0123456789ABCDEF)" in caught.value.what
    assert "recipients add" in caught.value.remedy


async def test_damage_names_entry_commit_and_blob() -> None:
    reader, _ = pinned(apps={"a.gpg": b"garbage"})
    with pytest.raises(DecryptError, match=r"apps/a at cccccccccccc is damaged \(blob a.gpg\)"):
        await reader.read(whole("apps/a"))


async def test_listing_leaves_out_dot_folders_and_sorts_bytewise() -> None:
    reader, _ = pinned(
        apps={"b.gpg": b"", "B.gpg": b"", "a/x.gpg": b"", ".public-keys/0x1": b"", ".d/y.gpg": b""}
    )
    names = [str(path) for path in await reader.entries("")]
    assert names == ["apps/B", "apps/a/x", "apps/b"]
    assert [str(path) for path in await reader.entries("apps/a/")] == ["apps/a/x"]


async def test_a_key_of_a_folder_is_no_entry() -> None:
    reader, _ = pinned(apps={"a/b.gpg": b"ENC:x"})
    with pytest.raises(EntryNotFoundError):
        await reader.read(whole("apps/a"))


async def test_a_missing_key_poisons_too() -> None:
    reader, _ = pinned(apps={"a.gpg": b"ENC:pw"})
    with pytest.raises(KeyNotFoundError):
        await reader.read(Lookup(SecretPath.parse("apps/a"), Part.KEY, "user"))
    assert reader.refusal is not None
