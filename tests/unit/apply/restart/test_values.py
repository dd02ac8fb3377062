"""Digests of values: they tell old from new, and tell nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from flux_secret.apply.digest import KEY_BYTES, DigestKey
from flux_secret.apply.inventory import Entry
from flux_secret.apply.plan import Keep, Refuse, Write
from flux_secret.apply.restart.references import Reference
from flux_secret.apply.restart.values import digests, is_changed, mark, noting, template_digest
from flux_secret.apply.scope import Wanted
from flux_secret.errors import NotOursError
from flux_secret.model.names import ObjectKey
from flux_secret.model.plaintext import Plaintext
from unit.apply.builders import CONFIG_MAPS, SECRETS, C

KEY = DigestKey(Plaintext(bytes(KEY_BYTES)))
OTHER = DigestKey(Plaintext(b"o" * KEY_BYTES))
WHOLE, ONE = Reference("s"), Reference("s", "k")


def wanted(values: Mapping[str, bytes], name: str = "s", space: str = "demo") -> Wanted:
    secret = {key: Plaintext(value) for key, value in values.items()}
    return Wanted(ObjectKey("", "Secret", space, name), SECRETS, {}, secret, "")


def test_equal_values_show_only_in_the_same_place() -> None:
    there = digests(KEY, wanted({"k": b"hunter2"}))
    assert there == digests(KEY, wanted({"k": b"hunter2"}))
    elsewhere = [
        digests(KEY, wanted({"k": b"hunter3"}))["k"],
        digests(KEY, wanted({"l": b"hunter2"}))["l"],
        digests(KEY, wanted({"k": b"hunter2"}, name="t"))["k"],
        digests(KEY, wanted({"k": b"hunter2"}, space="other"))["k"],
        digests(OTHER, wanted({"k": b"hunter2"}))["k"],
    ]
    assert len({there["k"], *elsewhere}) == 6
    assert hashlib.sha256(b"hunter2").hexdigest()[:16] not in there["k"]


def test_a_single_key_changes_with_its_own_value_only() -> None:
    before = digests(KEY, wanted({"k": b"1", "l": b"1"}))
    assert not is_changed(ONE, before, before)
    assert not is_changed(WHOLE, before, before)
    other = digests(KEY, wanted({"k": b"1", "l": b"2"}))
    assert not is_changed(ONE, before, other)
    assert is_changed(WHOLE, before, other)
    assert is_changed(Reference("s", "l"), before, other)


def test_a_key_that_is_new_counts_and_one_that_is_gone_only_for_the_whole() -> None:
    both, less = digests(KEY, wanted({"k": b"1", "l": b"1"})), digests(KEY, wanted({"l": b"1"}))
    assert is_changed(ONE, less, both)
    assert is_changed(WHOLE, less, both)
    assert not is_changed(ONE, both, less)
    assert is_changed(WHOLE, both, less)
    assert is_changed(WHOLE, {}, both)


def test_a_new_persistent_key_is_no_change() -> None:
    before, after = digests(KEY, wanted({"k": b"1"})), digests(OTHER, wanted({"k": b"1"}))
    assert not is_changed(WHOLE, before, after)
    assert not is_changed(ONE, before, after)


def test_the_mark_changes_exactly_with_what_is_used_and_with_each_change() -> None:
    now = {"s": digests(KEY, wanted({"k": b"1", "l": b"1"}))}
    other = {"s": digests(KEY, wanted({"k": b"1", "l": b"2"}))}
    said = mark(KEY, "demo", {ONE}, now, "9:00")
    assert mark(KEY, "demo", {ONE}, other, "9:00") == said
    assert mark(KEY, "demo", {ONE, Reference("not-ours")}, now, "9:00") == said
    others = [
        mark(KEY, "demo", {WHOLE}, now, "9:00"),
        mark(KEY, "demo", {WHOLE}, other, "9:00"),
        mark(KEY, "prod", {ONE}, now, "9:00"),
        mark(OTHER, "demo", {ONE}, now, "9:00"),
        mark(KEY, "demo", {ONE}, now, "10:00"),
    ]
    assert len({said, *others}) == 6
    assert template_digest(KEY, "demo", {"a": 1}) != template_digest(KEY, "demo", {"a": 2})


def test_the_list_learns_the_values_of_what_is_written_and_of_what_stays() -> None:
    want = wanted({"k": b"1"})
    written = noting(Write(want, "d"), want, KEY)
    assert isinstance(written, Write)
    assert written.values == digests(KEY, want)
    kept = noting(Keep(want.key, Entry(want.key, "uid")), want, KEY)
    assert isinstance(kept, Keep)
    assert kept.entry == Entry(want.key, "uid", values=digests(KEY, want))


def test_it_learns_nothing_of_what_is_left_alone_refused_or_no_secret() -> None:
    want = wanted({"k": b"1"})
    left = Keep(want.key, Entry(want.key, "uid"), "ignored")
    refused = Refuse(want.key, NotOursError("no"))
    other = Write(Wanted(C, CONFIG_MAPS, {}, {}, ""), "d")
    assert noting(left, want, KEY) is left
    assert noting(refused, want, KEY) is refused
    assert noting(other, other.want, KEY) is other
