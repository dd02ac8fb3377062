"""`patchUpdated` with the real kustomize: what is merged, and what it never sees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from flux_secret.errors import ConfigurationError, GenerateError, ManifestError
from flux_secret.model.manifest import Manifest, Value
from flux_secret.model.plaintext import Plaintext
from flux_secret.outside.workshop import Workshop
from system.test_generate import Reader, generate

YAML = "version: 1\npatchUpdated:\n  generators: [{command: cat all.json}]\n  patchFile: %s\n"


def deployment() -> dict[str, Any]:
    containers = [
        {"name": "web", "image": "nginx:1.26", "args": ["yes", "0400", "2001-01-01"]},
        {"name": "side", "image": "busybox"},
    ]
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    return named("apps/v1", "Deployment", "a", spec=spec)


def named(api: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:  # noqa: ANN401 -- YAML
    namespace = rest.pop("namespace", None)
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


async def patched(
    place: Path, objects: Sequence[object], patches: Sequence[object]
) -> Sequence[Manifest]:
    files = {
        ".flux.yaml": YAML % "patches.yaml",
        "all.json": "\n---\n".join(map(json.dumps, objects)),
        "patches.yaml": "\n---\n".join(map(json.dumps, patches)),
    }
    return (await generate(place, files, Reader({}))).items


def plain(value: Value) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, Plaintext):
        return value.reveal().decode()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


async def test_lists_of_built_in_kinds_are_merged_by_their_keys(tmp_path: Path) -> None:
    image = {"template": {"spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}}}
    (found,) = await patched(
        tmp_path, [deployment()], [named("apps/v1", "Deployment", "a", spec=image)]
    )
    wanted = deployment()
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:1.27"
    assert plain(found.body) == wanted, "and every text stays text"
    assert found.origin.source.endswith("cat all.json")


async def test_null_and_directives_delete(tmp_path: Path) -> None:
    drop = [{"name": "side", "$patch": "delete"}]
    spec = {"replicas": None, "template": {"spec": {"containers": drop}}}
    (found,) = await patched(
        tmp_path, [deployment()], [named("apps/v1", "Deployment", "a", spec=spec)]
    )
    body = plain(found.body)
    assert "replicas" not in body["spec"]
    assert [one["name"] for one in body["spec"]["template"]["spec"]["containers"]] == ["web"]


async def test_a_whole_object_may_be_deleted(tmp_path: Path) -> None:
    gone = {**named("v1", "ConfigMap", "b"), "$patch": "delete"}
    found = await patched(tmp_path, [deployment(), named("v1", "ConfigMap", "b", data={})], [gone])
    assert [one.key.name for one in found] == ["a"]


async def test_a_custom_resource_is_merged_as_json(tmp_path: Path) -> None:
    thing = named("example.org/v1", "Thing", "t", spec={"list": [{"name": "a", "x": 1}], "keep": 1})
    patch = named("example.org/v1", "Thing", "t", spec={"list": [{"name": "b"}]})
    (found,) = await patched(tmp_path, [thing], [patch])
    assert plain(found.body)["spec"] == {"list": [{"name": "b"}], "keep": 1}


async def test_several_patches_of_one_object_are_merged_in_order(tmp_path: Path) -> None:
    first = named("v1", "ConfigMap", "c", data={"a": "1", "b": "1"})
    second = named("v1", "ConfigMap", "c", data={"b": "2"})
    (found,) = await patched(
        tmp_path, [named("v1", "ConfigMap", "c", data={"z": "0"})], [first, second]
    )
    assert plain(found.body)["data"] == {"a": "1", "b": "2", "z": "0"}


async def test_one_name_in_two_groups_and_two_namespaces(tmp_path: Path) -> None:
    objects = [
        named("a.example.org/v1", "Thing", "t", spec={"x": 1}),
        named("b.example.org/v1", "Thing", "t", spec={"x": 1}),
        named("v1", "ConfigMap", "c", namespace="one", data={"x": "1"}),
        named("v1", "ConfigMap", "c", namespace="two", data={"x": "1"}),
    ]
    patches = [
        named("b.example.org/v1", "Thing", "t", spec={"x": 2}),
        named("v1", "ConfigMap", "c", namespace="two", data={"x": "2"}),
    ]
    found = await patched(tmp_path, objects, patches)
    assert [(one.key.group, one.key.namespace) for one in found] == [
        ("a.example.org", ""), ("b.example.org", ""), ("", "one"), ("", "two"),
    ]  # fmt: skip
    assert [plain(one.body).get("spec", plain(one.body).get("data"))["x"] for one in found] == [
        1, 2, "1", "2",
    ]  # fmt: skip


async def test_no_value_of_a_secret_reaches_kustomize(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    whole = Workshop.kustomize

    async def watched(
        self: Workshop, files: Mapping[str, bytes], *, timeout_seconds: float
    ) -> object:
        seen.extend(files.values())
        return await whole(self, files, timeout_seconds=timeout_seconds)

    monkeypatch.setattr(Workshop, "kustomize", watched)
    secret = named("v1", "Secret", "s", data={"one": "b25l", "two": "dHdv", "gone": "Z29uZQ=="})
    patch = named("v1", "Secret", "s", data={"two": "cGF0Y2hlZA==", "gone": None})
    (found,) = await patched(tmp_path, [secret], [patch])
    assert plain(found.body)["data"] == {"one": "b25l", "two": "cGF0Y2hlZA=="}
    values = found.body["data"]
    assert isinstance(values, Mapping)
    assert all(isinstance(value, Plaintext) for value in values.values())
    assert seen
    assert not [text for text in seen for value in (b"b25l", b"cGF0", b"Z29u") if value in text]


async def test_a_missing_patch_file_is_no_patch_and_the_order_is_fluxs(tmp_path: Path) -> None:
    objects = [named("v1", "Service", "z"), named("v1", "ConfigMap", "y"), deployment()]
    files = {".flux.yaml": YAML % "none.yaml", "all.json": "\n---\n".join(map(json.dumps, objects))}
    found = (await generate(tmp_path, files, Reader({}))).items
    assert [one.key.kind for one in found] == ["ConfigMap", "Deployment", "Service"]


@pytest.mark.parametrize(
    ("file", "error", "words"),
    [
        (
            "sub/p.yaml", ManifestError,
            'base directory ("sub") of patchFile ("sub/p.yaml") does not exist',
        ),
        ("../p.yaml", ManifestError, "leads out of the repository"),
    ],
)  # fmt: skip
async def test_a_patch_file_that_cannot_be_is_named(
    tmp_path: Path, file: str, error: type[ConfigurationError], words: str
) -> None:
    (tmp_path / "p.yaml").write_text(json.dumps(named("v1", "ConfigMap", "a")))
    place = tmp_path / "repository"
    place.mkdir()
    files = {".flux.yaml": YAML % file, "all.json": json.dumps(deployment())}
    with pytest.raises(error) as caught:
        await generate(place, files, Reader({}))
    assert words in caught.value.what
    assert caught.value.remedy


async def test_a_patch_without_its_object_is_refused_in_fluxs_words(tmp_path: Path) -> None:
    patch = named("v1", "ConfigMap", "gone", namespace="dev")
    with pytest.raises(ManifestError) as caught:
        await patched(tmp_path, [deployment()], [patch])
    assert "patch refers to missing resource (dev:configmap/gone)" in caught.value.what
    assert "patches.yaml, document 1" in caught.value.what


async def test_patches_that_do_not_merge_say_why(tmp_path: Path) -> None:
    patch = named("apps/v1", "Deployment", "a", spec="text")
    with pytest.raises(GenerateError, match="cannot be merged"):
        await patched(tmp_path, [deployment()], [patch])
