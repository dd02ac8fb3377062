"""Whose keys are meant by what a person types."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from flux_secret.errors import UsageError
from flux_secret.model.openpgp import PublicKey, Subkey
from flux_secret.model.record import Unrecorded
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.store.interface import Reader
from flux_secret.store.tree import AGE, GPG
from flux_secret.store.working.store import WorkingStore
from flux_secret.store.working.whom import meant

BOB, BOB2, EVE = "B" * 40, "2" * 40, "E" * 40


def key(fingerprint: str, *names: str) -> PublicKey:
    subs = [Subkey(one, one[-16:], 0, None, can_encrypt=True, problem="")
            for one in (fingerprint, f"{'0' * 24}5{fingerprint[-15:]}")]  # fmt: skip
    return PublicKey(fingerprint, names, tuple(subs))


KEYS = {
    "0xBBBBBBBBBBBBBBBB": key(BOB, "Bob Smith <bob@example.org>", "Bob (work) <b@work.example>"),
    "0x2222222222222222": key(BOB2, "Bob Smith <bob@example.org>"),
    "0xEEEEEEEEEEEEEEEE": key(EVE, "Eve <eve@example.org>"),
}


class Crypto:
    """Knows the keys by the ids of recipients files; finds nobody else."""

    def __init__(self, layout: object = GPG, found: Collection[str] = ()) -> None:
        self.layout = layout
        self._found = frozenset(found)

    async def find(self, _text: str) -> frozenset[str]:
        """Find what gpg would, by any part of a name."""
        return self._found

    async def readers(self, ids: Sequence[str]) -> list[Reader]:
        """Name those that are known."""
        return [
            Reader(one, str(KEYS[one]), frozenset({KEYS[one].subkeys[1].key_id}),
                   fingerprint=KEYS[one].fingerprint)
            if one in KEYS
            else Reader(one, one, fingerprint=" ".join(one.split()[:2]) if " " in one else "")
            for one in ids
        ]  # fmt: skip


def asked(place: Path, text: str, ids: Sequence[str], crypto: Crypto | None = None) -> list[str]:
    made: Any = crypto or Crypto()
    (place / made.layout.recipients).write_text("".join(f"{one}\n" for one in ids))
    store = WorkingStore("apps", WorkFolder(place), None, made, Unrecorded())
    return [one.fingerprint or one.readers[0].id for one in asyncio.run(meant(store, text, []))]


ALL = list(KEYS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bob@example.org", [BOB2, BOB]),
        ("BOB@example.org", [BOB2, BOB]),
        ("Bob Smith", [BOB2, BOB]),
        ("Eve <eve@example.org>", [EVE]),
        ("ev", [EVE]),
        ("0xEEEEEEEEEEEEEEEE", [EVE]),
        ("nobody@example.org", []),
    ],
)
def test_a_name_means_all_keys_that_have_it(tmp_path: Path, text: str, found: list[str]) -> None:
    finds = {EVE} if text.startswith("0x") else ()
    assert asked(tmp_path, text, ALL, Crypto(found=finds)) == found


def test_a_part_of_a_name_that_several_keys_have_means_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="means 3 keys"):
        asked(tmp_path, "example.org", ALL)


def test_what_gpg_finds_by_a_part_of_a_name_is_not_meant(tmp_path: Path) -> None:
    assert asked(tmp_path, "eve@example.org", ALL, Crypto(found={BOB})) == [EVE]


@pytest.mark.parametrize("text", ["0xAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA", "F" * 24 + "A" * 16])
def test_a_line_whose_key_nobody_has_is_somebody(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, text, [*ALL, "0xAAAAAAAAAAAAAAAA"]) == ["0xAAAAAAAAAAAAAAAA"]


def test_an_address_in_the_file_whose_key_nobody_has_is_somebody(tmp_path: Path) -> None:
    assert asked(tmp_path, "old@example.org", ["old@example.org"]) == ["old@example.org"]


def test_an_id_that_nothing_knows_may_still_stand_in_messages(tmp_path: Path) -> None:
    assert asked(tmp_path, "0x5555555555555555", ALL) == ["0x5555555555555555"]


def test_an_ssh_key_is_named_by_its_comment_too(tmp_path: Path) -> None:
    line = "ssh-ed25519 AAAA bob@laptop"
    for text in ("bob@laptop", line):
        assert asked(tmp_path, text, [line, "age1x"], Crypto(AGE)) == ["ssh-ed25519 AAAA"]
    assert asked(tmp_path, "laptop", [line], Crypto(AGE)) == []
