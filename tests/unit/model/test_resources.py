"""Stores and Apps as people write them: what they mean, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flux_secret.errors import ConfigurationError
from flux_secret.model.app import AppName, Removal
from flux_secret.model.appspec import parse_app
from flux_secret.model.names import StoreName
from flux_secret.model.store import covers, parse_store, parse_stores

DEMO = AppName("dev-demo", "demo")
SOURCE = {"url": "git@git.example.org:org/ops", "branch": "main"}
SPEC: Mapping[str, Any] = {"source": SOURCE, "path": "demo/overlay/dev", "stores": ["apps"]}
STORE: Mapping[str, Any] = {
    "url": "git@git.example.org:org/secrets",
    "readers": [{"namespaces": ["dev-demo"], "paths": ["application/demo/dev"]}],
}


def test_an_app_writes_its_own_namespace_and_reads_what_the_store_lets_it() -> None:
    stores = parse_stores({"apps": STORE})
    app = parse_app(DEMO, SPEC).app(stores, "flux")
    (target,) = app.targets
    assert target.name == "dev-demo/demo"
    assert target.allowed_namespaces == {"dev-demo"}
    assert target.default_namespace == "dev-demo"
    assert not target.cluster_scoped
    assert target.prune
    assert target.grants == {StoreName("apps"): ("application/demo/dev",)}
    assert target.generation.env == {"APPLICATIONSTORE": "apps"}
    assert (app.sync_seconds, app.retry_seconds, app.removal) == (300, 10, Removal.PRUNE)


def test_without_a_reader_for_its_namespace_an_app_reads_nothing() -> None:
    stores = parse_stores({"apps": STORE})
    (target,) = parse_app(AppName("elsewhere", "demo"), SPEC).app(stores, "flux").targets
    assert target.grants == {StoreName("apps"): ()}
    (target,) = parse_app(DEMO, SPEC).app({}, "flux").targets  # no such Store
    assert target.grants == {StoreName("apps"): ()}
    suspended = parse_stores({"apps": {**STORE, "suspend": True}})
    (target,) = parse_app(DEMO, SPEC).app(suspended, "flux").targets
    assert target.grants == {StoreName("apps"): ()}


@pytest.mark.parametrize(
    ("entry", "is_covered"),
    [
        ("application/demo/dev", True),
        ("application/demo/dev/db", True),
        ("application/demo/development", False),
        ("application/demo", False),
        ("application", False),
    ],
)
def test_a_path_covers_itself_and_what_lies_below_it(entry: str, *, is_covered: bool) -> None:
    assert covers(("application/demo/dev",), entry) is is_covered
    assert covers(("*",), entry)


def test_only_an_app_in_the_agents_namespace_may_ask_for_more() -> None:
    for more in ({"namespaces": ["prod"]}, {"namespaces": ["*"]}, {"generate": {"network": True}}):
        spec = parse_app(DEMO, {**SPEC, **more})
        with pytest.raises(ConfigurationError, match="only an App in namespace flux may"):
            spec.app({}, "flux")
        parse_app(AppName("flux", "demo"), {**SPEC, **more}).app({}, "flux")
    (target,) = (
        parse_app(AppName("flux", "x"), {**SPEC, "namespaces": ["*"]}).app({}, "flux").targets
    )
    assert (target.allowed_namespaces, target.cluster_scoped) == (frozenset(), True)


def test_a_mount_may_be_another_name_than_the_stores_own() -> None:
    stores = parse_stores({"apps": {**STORE, "mount": "secrets/apps"}})
    (target,) = parse_app(DEMO, SPEC).app(stores, "flux").targets
    assert target.stores == {StoreName("secrets/apps")}


def test_an_account_is_one_of_the_apps_own_namespace() -> None:
    (target,) = parse_app(DEMO, {**SPEC, "serviceAccountName": "deployer"}).app({}, "flux").targets
    assert target.service_account == "dev-demo:deployer"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (None, "App dev-demo/demo: spec is no mapping"),
        ({**SPEC, "paht": "x"}, "spec has an unknown field 'paht'"),
        ({"path": "x"}, "spec.source.url is no text"),
        ({**SPEC, "source": {"url": "git@x:y"}}, "spec.source.branch is no text"),
        ({**SPEC, "source": {**SOURCE, "url": "ftp://x/y"}}, "spec.source.url: "),
        ({**SPEC, "source": {**SOURCE, "url": "https://me:secret@x/y"}}, "holds a user or a pass"),
        ({**SPEC, "source": {**SOURCE, "branch": "-x"}}, "spec.source.branch: '-x' is not a"),
        ({**SPEC, "path": "/x"}, "spec.path: '/x' is no path inside the repository"),
        ({**SPEC, "path": "a/../../x"}, "is no path inside the repository"),
        ({**SPEC, "interval": "5 minutes"}, "spec.interval: '5 minutes' is not a duration"),
        ({**SPEC, "interval": "10ms"}, "spec.interval is shorter than 1s"),
        ({**SPEC, "interval": 5}, "spec.interval is no text"),
        ({**SPEC, "prune": "yes"}, "spec.prune is neither true nor false"),
        ({**SPEC, "deletionPolicy": "Keep"}, "spec.deletionPolicy is 'Keep'"),
        ({**SPEC, "stores": "apps"}, "spec.stores is no list"),
        ({**SPEC, "stores": [1]}, "spec.stores holds something that is no text"),
        ({**SPEC, "serviceAccountName": "../x"}, "which is no object's name"),
        ({**SPEC, "generate": {"env": {"A": 1}}}, "spec.generate.env is not names and texts"),
        ({**SPEC, "generate": {"env": {"A-B": "1"}}}, "which is no variable's name"),
        ({**SPEC, "restart": {"budget": 0}}, "spec.restart.budget is '0'"),
    ],
)
def test_what_is_wrong_with_an_app_names_the_field(spec: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_app(DEMO, spec)
    assert said in caught.value.what
    assert "secret@" not in caught.value.what
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "Store apps: spec.url is no text"),
        ({**STORE, "url": "https://me:secret@x/y"}, "spec.url holds a user or a password"),
        ({**STORE, "mount": "/x"}, "spec.mount: '/x' is not a store name"),
        ({**STORE, "readers": [{"paths": ["*"]}]}, "spec.readers[0] names no namespaces"),
        ({**STORE, "readers": [{"namespaces": ["a"]}]}, "spec.readers[0] names no paths"),
        ({**STORE, "readers": [{"namespaces": ["a"], "paths": ["a/../b"]}]}, "is no folder of a"),
        ({**STORE, "readers": ["x"]}, "spec.readers[0] is no mapping"),
    ],
)
def test_what_is_wrong_with_a_store_names_the_field(spec: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_store("apps", spec, "Store apps")
    assert said in caught.value.what
    assert "secret@" not in caught.value.what


def test_two_stores_with_one_mount_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="both mounted at apps"):
        parse_stores({"apps": STORE, "other": {**STORE, "mount": "apps"}})
