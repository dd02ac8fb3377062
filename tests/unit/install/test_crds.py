"""The CustomResourceDefinitions say what the parsers read: names of fields, defaults, limits."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any, Final

import pytest
import yaml

from flux_secret.errors import ConfigurationError
from flux_secret.model.app import AppName
from flux_secret.model.appspec import parse_app
from flux_secret.model.restart import DAY_MINUTES
from flux_secret.model.store import parse_store
from flux_secret.model.storesecret import parse_store_secret
from simulators.documents import BAD, FULL, GOOD, LEAST, Tree

NAME: Final = AppName("dev-demo", "demo")
PARSERS: Final[Mapping[str, Callable[[Tree], object]]] = {
    "App": lambda spec: parse_app(NAME, spec),
    "Store": lambda spec: parse_store("apps", spec, "Store apps"),
    "StoreSecret": lambda spec: parse_store_secret(NAME, spec),
}
FOLDER: Final = files("flux_secret.install") / "manifests/crds"


@functools.cache
def definition(kind: str) -> dict[str, Any]:
    text = (FOLDER / f"{kind.lower()}.yaml").read_text()
    return dict[str, Any](yaml.safe_load(text))


def schema(kind: str) -> dict[str, Any]:
    (version,) = definition(kind)["spec"]["versions"]
    return dict[str, Any](version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def mappings(tree: object, below: Mapping[str, Any]) -> Iterator[tuple[Tree, Mapping[str, Any]]]:
    """Give each mapping of a document with named fields, and the schema of those."""
    if isinstance(tree, list):
        for item in tree:
            yield from mappings(item, below["items"])
    if isinstance(tree, dict) and "properties" in below:
        yield tree, below["properties"]
        for name, value in tree.items():
            yield from mappings(value, below["properties"][name])


def filled(tree: object, below: Mapping[str, Any]) -> object:
    """Put the defaults in, as an API server does."""
    if isinstance(tree, list):
        return [filled(item, below["items"]) for item in tree]
    if not isinstance(tree, dict) or "properties" not in below:
        return tree
    fields = below["properties"]
    defaults = {name: one["default"] for name, one in fields.items() if "default" in one}
    return {name: filled(value, fields[name]) for name, value in {**defaults, **tree}.items()}


@pytest.mark.parametrize("kind", PARSERS)
def test_both_know_the_same_fields(kind: str) -> None:
    document = copy.deepcopy(FULL[kind])
    for tree, fields in mappings(document, schema(kind)):
        assert tree.keys() == fields.keys()
        tree["unknown"] = 1
        with pytest.raises(ConfigurationError, match="unknown") as caught:
            PARSERS[kind](document)
        del tree["unknown"]
        known = caught.value.remedy.removeprefix("it knows ").split(", ")
        assert sorted(known) == sorted(fields)
    PARSERS[kind](document)


@pytest.mark.parametrize(("kind", "spec"), GOOD)
def test_what_is_good_is_parsed_and_a_default_changes_nothing(kind: str, spec: Tree) -> None:
    with_defaults = filled(copy.deepcopy(spec), schema(kind))
    assert isinstance(with_defaults, dict)
    assert PARSERS[kind](with_defaults) == PARSERS[kind](spec)


STRICTER: Final = (
    "is no name of a", "Duplicate value", "at least 1 items",  # names of objects, lists as sets
    "stands for no printable", "is no reference",  # no escapes that hide something
)  # fmt: skip
"""Where an API server refuses more than the parser needs to."""


@pytest.mark.parametrize(("kind", "spec", "said"), BAD)
def test_what_is_bad_is_refused_by_the_parser_too(kind: str, spec: Tree, said: str) -> None:
    try:
        PARSERS[kind](spec)
    except ConfigurationError:
        return
    assert any(words in said for words in STRICTER) or "99999999h" in spec.values()


@pytest.mark.parametrize("kind", PARSERS)
def test_everything_has_a_description_and_a_limit(kind: str) -> None:
    (version,) = definition(kind)["spec"]["versions"]
    for name in ("spec", "status"):
        whole = version["schema"]["openAPIV3Schema"]["properties"][name]
        for place, one in nodes(whole, name):
            is_item = place.endswith(("[]", "{}"))
            assert is_item or len(one.get("description", "")) > 8, place
            if name == "spec" and one["type"] == "string":
                assert "maxLength" in one or "enum" in one, place
            if one["type"] == "array":
                assert "maxItems" in one, place
                assert "x-kubernetes-list-type" in one, place
            for rule in one.get("x-kubernetes-validations", ()):
                assert len(rule["message"]) > 20, place


def nodes(one: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield place, one
    for name, below in one.get("properties", {}).items():
        yield from nodes(below, f"{place}.{name}")
    if "items" in one:
        yield from nodes(one["items"], f"{place}[]")
    if "additionalProperties" in one:
        yield from nodes(one["additionalProperties"], f"{place}{{}}")


def test_what_kinds_share_is_the_same() -> None:
    def undescribed(one: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in one.items() if name != "description"}

    app, store, secret = (copy.deepcopy(schema(kind)["properties"]) for kind in PARSERS)
    assert undescribed(app["source"]["properties"]["url"]) == undescribed(store["url"])
    ours, theirs = undescribed(app["restart"]), undescribed(secret["restart"])
    assert ours["properties"]["workloads"].pop("default") == "delivered"
    assert theirs["properties"]["workloads"].pop("default") == "all"
    assert ours == theirs
    for name in ("interval", "deletionPolicy"):
        assert undescribed(app[name]) == undescribed(secret[name])


def test_a_document_with_everything_says_what_it_means() -> None:
    app = parse_app(NAME, FULL["App"])
    assert (app.sync_seconds, app.retry_seconds, app.suspended) == (600.0, 5.0, True)
    assert app.restart is not None
    assert app.restart.freeze[0].ends == DAY_MINUTES * 3 // 4
    secret = parse_store_secret(NAME, FULL["StoreSecret"])
    assert (secret.secret, secret.type) == ("database", "kubernetes.io/basic-auth")
    assert str(secret.data["password"].lookup) == "apps/application/demo/dev/db (password)"
    least = parse_store_secret(NAME, LEAST["StoreSecret"])
    assert (least.secret, least.type, least.restart) == ("demo", "Opaque", None)
