"""The settings file: the documents that the cluster would take, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_secret.errors import ConfigurationError
from flux_secret.model.names import StoreName
from flux_secret.settings import Flags, Settings
from flux_secret.settings.documents import MAX_FILE, load_documents

STORE = """
apiVersion: flux-secret.io/v1alpha1
kind: Store
metadata: {name: apps}
spec:
  url: ssh://git@example.org/secrets
  readers: [{namespaces: [dev], paths: [demo]}]
"""
APP = """
apiVersion: flux-secret.io/v1alpha1
kind: App
metadata: {name: demo, namespace: dev}
spec:
  source: {url: "ssh://git@example.org/ops", branch: main}
  path: demo/overlay/dev
  stores: [apps]
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "flux-secret.yaml"
    file.write_text(text)
    return file


def test_stores_and_apps_are_read_as_the_cluster_would(tmp_path: Path) -> None:
    found = load_documents(written(tmp_path, f"{STORE}---\n{APP}---\n"), "flux")
    (app,) = found.apps
    assert str(app.name) == "dev/demo"
    assert app.targets[0].grants == {StoreName("apps"): ("demo",)}
    assert list(found.stores) == ["apps"]


def test_an_app_without_a_namespace_lies_in_the_agents(tmp_path: Path) -> None:
    text = APP.replace(", namespace: dev", "")
    (app,) = load_documents(written(tmp_path, text), "flux").apps
    assert str(app.name) == "flux/demo"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "is no YAML"),
        ("a: 1\na: 2", "line 2 is no YAML: a field stands twice"),
        ("- a", "document 1 is no mapping"),
        ("kind: App", "document 1.apiVersion is no text"),
        (APP.replace("v1alpha1", "v9"), "document 1 is not of flux-secret.io/v1alpha1"),
        (APP.replace("kind: App", "kind: Pod"), "document 1.kind is 'Pod'"),
        (f"{APP}---{APP}", "document 2: App dev/demo is there twice"),
        (f"{STORE}---{STORE}", "document 2: Store apps is there twice"),
        (STORE.replace("name: apps", "name: apps, namespace: dev"), "lies in namespace dev"),
        (APP.replace("path:", "paht:"), "unknown field 'paht'"),
        (STORE.replace("[demo]", "['../x']"), "which is no folder of a store"),
    ],
)
def test_what_is_wrong_names_the_document(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_documents(written(tmp_path, text), "flux")
    assert said in caught.value.what
    assert caught.value.remedy


def test_a_file_that_is_not_there_or_too_large_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_documents(tmp_path / "nothing", "flux")
    with pytest.raises(ConfigurationError, match="is larger than"):
        load_documents(written(tmp_path, "#" * (MAX_FILE + 1)), "flux")


def test_a_store_that_a_flag_names_too_is_refused(tmp_path: Path) -> None:
    flags = Flags(config=written(tmp_path, STORE), store=("apps=ssh://git@example.org/other",))
    with pytest.raises(ConfigurationError, match="named by --store and by the settings file"):
        Settings.load(flags, {"HOME": "/nowhere"})


def test_a_settings_file_needs_no_repository_of_flux_v1s_flags(tmp_path: Path) -> None:
    settings = Settings.load(Flags(config=written(tmp_path, STORE + "---" + APP)), {"HOME": "/x"})
    assert settings.flagged is None
    assert [str(app.name) for app in settings.apps] == ["dev/demo"]
    assert settings.fresh_seconds > 0
    assert list(settings.stores) == [StoreName("apps")]
