"""Versions are decrypted once, in portions, and what is known is kept on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from flux_secret.errors import DecryptError
from flux_secret.model.plaintext import Plaintext
from flux_secret.store.working.parts import Parts
from flux_secret.store.working.recorded import Sealed
from flux_secret.store.working.versions import Digests, Forgetting


@dataclass
class Memory(Forgetting):
    """Notes how often it was written."""

    kept: list[int] = field(default_factory=list)

    def keep(self, blobs: Collection[str]) -> None:
        """Note it."""
        self.kept.append(len(blobs))


class Opens:
    """Decrypts by cutting a byte off; `!` is for somebody else."""

    def __init__(self, *, breaks_after: int = 10**9) -> None:
        self.asked: list[int] = []
        self.named: list[Sealed] = []
        self._left = breaks_after

    async def open_all(
        self, sealed: Sequence[tuple[Sealed, bytes]]
    ) -> list[Plaintext | DecryptError]:
        """Do it, unless somebody interrupts."""
        messages = [message for _, message in sealed]
        self.named += [one for one, _ in sealed]
        self._left -= len(messages)
        if self._left < 0:
            raise KeyboardInterrupt
        self.asked.append(len(messages))
        return [DecryptError("no key") if one[:1] == b"!" else Plaintext(one[1:])
                for one in messages]  # fmt: skip


def of(opens: Opens, memory: Memory, *texts: str) -> tuple[dict[str, Parts | None], Digests]:
    made = Digests(opens, memory)
    versions = [Sealed("entry", text) for text in texts]
    return asyncio.run(made.of(versions, str.encode)), made


def test_each_version_is_decrypted_once_for_all_times() -> None:
    memory = Memory()
    first, made = of(Opens(), memory, "xa", "xb", "xa", "!c")
    assert (made.counted.known, made.counted.decrypted, made.counted.failed) == (0, 2, 1)
    assert first["!c"] is None
    again = Opens()
    second, made = of(again, memory, "xa", "xb", "!c", "xd")
    assert again.asked == [2], "what is closed is tried again, and what is new"
    assert (made.counted.known, made.counted.decrypted, made.counted.failed) == (2, 1, 1)
    for name in ("xa", "xb"):
        one, other = first[name], second[name]
        assert one is not None
        assert other is not None
        assert one.value == other.value


def test_equal_texts_have_equal_digests_whatever_their_blobs_are() -> None:
    found, _ = of(Opens(), Memory(), "xa", "ya", "xb")
    values = [one.value for one in found.values() if one is not None]
    assert values[0] == values[1] != values[2]


def test_many_are_decrypted_in_portions_and_kept_on_the_way() -> None:
    opens, memory = Opens(), Memory()
    of(opens, memory, *(f"x{number}" for number in range(4100)))
    assert max(opens.asked) == 200
    assert memory.kept == [2000, 4000]


def test_an_interrupted_scan_is_taken_up() -> None:
    texts, memory = [f"x{number}" for number in range(3000)], Memory()
    with pytest.raises(KeyboardInterrupt):
        of(Opens(breaks_after=2500), memory, *texts)
    assert memory.kept == [2000]
    after = Opens()
    of(after, memory, *texts)
    assert sum(after.asked) == 600, "at least what was kept is known"


def test_a_damaged_record_is_made_anew() -> None:
    memory = Memory()
    of(Opens(), memory, "xa")
    memory.records["xa"] = memory.records["xa"][:-1]
    again = Opens()
    of(again, memory, "xa")
    assert again.asked == [1]


def test_versions_of_one_entry_are_decrypted_together_under_the_name_that_comes_first() -> None:
    opens = Opens()
    made = Digests(opens, Memory())
    past = [Sealed(f"entry-{number % 300:03}", f"x{number}", "new") for number in range(600)]
    past.append(Sealed("was-called", "x0", "old"))
    asyncio.run(made.of(past, str.encode))
    names = [one.name for one in opens.named]
    assert names == sorted(names)
    assert len(names) == 600
    assert "was-called" not in names
    assert [one.also for one in opens.named if one.also] == [("was-called",)]
