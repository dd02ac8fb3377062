"""YAML stream → Manifests, strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import ManifestError
from flux_secret.generate.manifests import parse, without_duplicates
from flux_secret.model.manifest import Manifest, Value
from flux_secret.model.plaintext import Plaintext

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"


def load(text: str | bytes) -> list[Manifest]:
    return list(parse(text.encode() if isinstance(text, str) else text, "demo.yaml"))


def field(text: str, *path: str) -> Value:
    value: Value = load(text)[0].body
    for part in path:
        assert isinstance(value, dict)
        value = value[part]
    return value


def test_a_stream_gives_its_objects_with_document_and_line() -> None:
    found = load(f"---\n# nothing\n---\n{CONFIG}---\n---\n{SECRET}")
    assert [str(one.origin) for one in found] == [
        "demo.yaml, document 2 (line 4)", "demo.yaml, document 4 (line 9)"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("just text\n", "is text, not a Kubernetes object"),
        ("- a\n", "is a list, not a Kubernetes object"),
        ("metadata: {name: a}\n", "has no kind"),
        ("kind: Secret\nmetadata: {name: a}\n", "has no apiVersion"),
        ("apiVersion: v1\nkind: Secret\n", "has no metadata"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {generateName: a}\n", "no usable metadata"),
        (f"{CONFIG}data:\n  a: 1\n  a: 2\n", r"line 6: the key 'data.a' stands twice"),
        (f"{CONFIG}data:\n\ta: 1\n", "line 5: .*token"),
        (f"{CONFIG}data: {{? {{a: b}} : c}}\n", "a key is not a single value"),
        (f"{CONFIG}data: *nowhere\n", "line 4"),
        (f"{CONFIG}data: {{a: .inf}}\n", None),
        (f"{CONFIG}spec: {{a: .inf}}\n", "a number is infinite"),
        (f"{CONFIG}data: {{a: !foo b}}\n", "a tag that Kubernetes does not know"),
        ("{{ template }}\n", "document 1 .* has no kind"),
        (f"{CONFIG}...\ntext after the end\n", "demo.yaml"),
    ],
)
def test_what_is_no_manifest_is_an_error_that_names_the_place(
    text: str, reason: str | None
) -> None:
    if reason is None:
        assert load(text)
        return
    with pytest.raises(ManifestError, match=reason):
        load(text)


def test_bad_utf8_names_its_line_only() -> None:
    with pytest.raises(ManifestError, match="line 4 is not UTF-8") as caught:
        load(CONFIG.encode() + b"data: {a: \xff}\n")
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("value", ["1234", "0400", "yes", "1e3", "on", "2001-01-01", "0x12", "1_0"])
def test_a_secrets_unquoted_value_keeps_its_letters(value: str) -> None:
    found = field(f"{SECRET}data:\n  a: {value}\n", "data", "a")
    assert isinstance(found, Plaintext)
    assert found.reveal() == value.encode()


@pytest.mark.parametrize("value", ["", "~", "null"])
def test_a_secrets_null_stays_null_so_that_it_is_refused(value: str) -> None:
    assert field(f"{SECRET}data:\n  a: {value}\n", "data", "a") is None


def test_text_is_kept_where_the_api_wants_text() -> None:
    labels = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: on, y: 012}}\n"
    assert field(labels, "metadata", "labels") == {"x": "on", "y": "012"}
    assert field(f"{CONFIG}data: {{y: yes, n: 1e3}}\n", "data") == {"y": "yes", "n": "1e3"}
    pod = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n"
        "    metadata: {annotations: {port: 80}}\n"
        "    spec:\n      containers:\n"
        "      - {env: [{name: A, value: 0400}], ports: [{containerPort: 0400}]}\n"
    )
    template = field(pod, "spec", "template")
    assert template == {
        "metadata": {"annotations": {"port": "80"}},
        "spec": {
            "containers": [
                {"env": [{"name": "A", "value": "0400"}], "ports": [{"containerPort": 256}]}
            ]
        },
    }


def test_a_custom_resource_gets_kubectls_scalars_everywhere() -> None:
    text = "apiVersion: x.org/v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: 0400, b: yes}\n"
    assert field(text, "data") == {"a": 256, "b": True}


def test_keys_are_always_text() -> None:
    assert field(f"{CONFIG}data: {{y: a, 1: b, null: c}}\n", "data") == {
        "y": "a", "1": "b", "null": "c"
    }  # fmt: skip


def test_merge_keys_and_anchors_are_resolved() -> None:
    text = f"{CONFIG}x: &base {{a: 1, b: 2}}\ny: {{<<: *base, b: 3}}\n"
    assert field(text, "y") == {"a": 1, "b": 3}


def test_an_alias_bomb_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ManifestError, match="values"):
        load(CONFIG + "\n".join(lines))


def test_only_real_lists_are_opened() -> None:
    items = "items:\n" + "".join(f"- {line}\n" for line in [f"{{{CONFIG_FLOW}}}"] * 1)
    assert [one.key.kind for one in load(f"apiVersion: v1\nkind: List\n{items}")] == ["ConfigMap"]
    allow = f"apiVersion: x.org/v1\nkind: AllowList\nmetadata: {{name: l}}\n{items}"
    assert [one.key.kind for one in load(allow)] == ["AllowList"]


CONFIG_FLOW = "apiVersion: v1, kind: ConfigMap, metadata: {name: a}"


def test_duplicates_are_refused_in_flux_words_but_groups_differ() -> None:
    with pytest.raises(ManifestError, match="duplicate definition of '<cluster>:configmap/a'"):
        without_duplicates(load(f"{CONFIG}---\n{CONFIG}"))
    other = CONFIG.replace("apiVersion: v1", "apiVersion: x.org/v1")
    assert len(without_duplicates(load(f"{CONFIG}---\n{other}"))) == 2


def test_base64_that_wraps_is_named_and_explained_without_showing_it() -> None:
    wrapped = "QUJD" * 19 + "\n" + "RERE" * 3
    with pytest.raises(ManifestError, match="wraps at 76 columns") as caught:
        load(f"apiVersion: v1\ndata:\n  demosecret: {wrapped}\nkind: Secret\n")
    assert "base64 -w0" in caught.value.remedy
    assert "QUJD" not in caught.value.what


@given(st.binary(max_size=200))
def test_any_bytes_give_manifests_or_our_error(text: bytes) -> None:
    try:
        load(text)
    except ManifestError:
        return


@given(st.text(max_size=60))
def test_no_error_quotes_a_value(text: str) -> None:
    canary = "hunter2hunter2"
    try:
        load(f"{SECRET}data:\n  a: {canary}{text}\n b{canary}\n")
    except ManifestError as error:
        assert canary not in f"{error.what}{error.remedy}{error.__cause__}"
