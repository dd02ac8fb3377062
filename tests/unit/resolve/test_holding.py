"""Of each Secret it is known which entries its values come from, or that it is not known."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import pytest

from flux_secret.model.manifest import Bundle, BundleItem, Holds, Manifest, Manifests, Origin
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.resolve import holding
from flux_secret.resolve.holders import holders
from flux_secret.resolve.holding import MAX_PERHAPS, MORE, held
from flux_secret.resolve.resolver import Resolver
from simulators.store_reader import SimulatedReader

ORIGIN = Origin("demo/.flux.yaml: ./secrets.yaml.sh")
VALUE = b"correct horse\nuser: demo\n"


def manifest(name: str, data: Mapping[str, str]) -> Manifest:
    body = {"stringData": {key: Plaintext(value.encode()) for key, value in data.items()}}
    return Manifest(ObjectKey("", "Secret", "demo", name), "v1", body, ORIGIN)


def item(name: str, **values: bytes) -> BundleItem:
    wrapped = {key: Plaintext(value) for key, value in values.items()}
    return BundleItem(manifest(name, {}), wrapped)


def given(*entries: tuple[str, bytes]) -> list[tuple[Lookup, Plaintext]]:
    return [(Lookup(SecretPath.parse(name)), Plaintext(value)) for name, value in entries]


async def test_a_reference_says_where_its_value_comes_from() -> None:
    reader = SimulatedReader({"apps/db": VALUE, "apps/api": b"key"})
    secrets = (
        manifest("one", {"password": "ref+gopass://apps/db#password", "plain": "text"}),
        manifest("two", {"a": "ref+gopass://apps/db", "b": "ref+gopass://apps/api"}),
        manifest("three", {"plain": "text"}),
    )
    bundle = await Resolver().resolve(Manifests(secrets), reader)
    assert [one.holds for one in bundle.items] == [
        Holds(("apps/db",)), Holds(("apps/api", "apps/db")), Holds(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        VALUE, VALUE.rstrip(), b"correct horse", b"url: https://demo:correct horse@db/",
        base64.b64encode(b"demo:correct horse"),
    ],
)  # fmt: skip
def test_what_a_script_was_given_is_found_where_it_put_it(value: bytes) -> None:
    one, two = held([item("one", a=value), item("two", a=b"other")], given(("apps/db", VALUE)))
    assert (one.holds, two.holds) == (Holds(("apps/db",)), Holds())


def test_what_is_found_nowhere_may_be_anywhere() -> None:
    """A script that hashes a password leaves nothing of it."""
    scripts = given(("apps/db", VALUE), ("apps/salt", b"grains of salt"), ("apps/pin", b"12"))
    one, two, other = held(
        [item("one", a=VALUE), item("two", a=b"x"), BundleItem(manifest("none", {}))], scripts
    )
    assert one.holds == Holds(("apps/db",), ("apps/pin", "apps/salt"))
    assert two.holds == Holds((), ("apps/pin", "apps/salt"))
    assert other.holds == Holds()


@pytest.mark.parametrize("short", [b"x", b"12", b"short"])
def test_a_short_value_counts_where_it_is_a_whole_one(short: bytes) -> None:
    """Inside others it stands by chance."""
    scripts = given(("apps/pin", short + b"\n"))
    one, two = held(
        [item("one", a=b"other", b=short), item("two", a=b"of " + short + b" x")], scripts
    )
    assert (one.holds, two.holds) == (Holds(("apps/pin",)), Holds())


def test_who_asks_which_secrets_hold_an_entry_is_told_what_is_certain() -> None:
    scripts = given(("apps/db", VALUE), ("apps/salt", b"grains of salt"), ("apps/db", VALUE))
    items = held([item("one", a=VALUE), item("two", a=VALUE)], scripts)
    assert holders(Bundle(items), scripts) == {
        SecretPath.parse("apps/db"): tuple(one.key for one in items)
    }


def test_more_than_can_be_noted_is_said() -> None:
    scripts = given(*((f"apps/e{n:03}", f"a value {n}".encode()) for n in range(MAX_PERHAPS + 1)))
    (one,) = held([item("one", a=b"x")], scripts)
    assert (len(one.holds.perhaps), one.holds.perhaps[0]) == (MAX_PERHAPS + 1, MORE)


def test_more_than_can_be_searched_may_be_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "MAX_SEARCHED", 10)
    (one,) = held([item("one", a=VALUE)], given(("apps/db", VALUE)))
    assert one.holds == Holds((), ("apps/db",))
