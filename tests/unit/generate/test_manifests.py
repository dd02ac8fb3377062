"""YAML stream → Manifests, strictly."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import ManifestError
from flux_secret.generate import manifests
from flux_secret.generate.manifests import parse, without_duplicates
from flux_secret.generate.values import MAX_NODES, Budget
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
        "demo.yaml, document 2, line 4", "demo.yaml, document 4, line 9"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("just text\n", "is text, not a Kubernetes object"),
        ("- a\n", "is a list, not a Kubernetes object"),
        ("metadata: {name: a}\n", "has no kind"),
        ("kind: ''\nmetadata: {name: a}\n", "has no kind"),
        ("{}\n", "has no kind"),
        ("kind: no kind\nmetadata: {name: a}\n", "has a kind that is none"),
        ("kind: Secret\nmetadata: {name: a}\n", "has no apiVersion"),
        ("kind: Secret\napiVersion: v 1\nmetadata: {name: a}\n", "has an apiVersion that is none"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: 5}\n", "no usable metadata.name"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: 5}\n", "metadata.namespace"),
        ("a: b\n" + "c: [" * 70 + "\n", "more than 64 levels"),
        ("[" * 200_000, "line 1: more than 64 levels"),
        (f"{CONFIG}x: &x 1\ny: &x 2\n", "an anchor .* stands twice"),
        (f"{CONFIG}data: {{a: !!int x}}\n", "a value is no int"),
        (f"{CONFIG}data: {{a: !!binary '***'}}\n", "not base64"),
        (f"{CONFIG}data: {{a: \x01}}\n", "line 4 has a character that YAML does not allow"),
        (f"{CONFIG}<<: 5\n", "merges something that is no mapping"),
        ("apiVersion: v1\nkind: Secret\n", "has no metadata"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {generateName: a}\n", "no usable metadata"),
        (f"{CONFIG}data:\n  a: 1\n  a: 2\n", r"line 6: the key 'data.a' stands twice"),
        (f"{CONFIG}data:\n\ta: 1\n", "line 5: a tab stands where only blanks may"),
        (f"{CONFIG}data: {{? {{a: b}} : c}}\n", "a key is not a single value"),
        (f"{CONFIG}data: *nowhere\n", "line 4"),
        (f"{CONFIG}data: {{a: .inf}}\n", None),
        (f"{CONFIG}spec: {{a: .inf}}\n", "a number is infinite"),
        (f"{CONFIG}data: {{a: !foo b}}\n", "a tag that Kubernetes does not know"),
        ("{{ template }}\n", "document 1, line 1 has no kind"),
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


@pytest.fixture
def _small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of what a stream may grow to: counting to a million takes a second."""
    monkeypatch.setattr(manifests, "Budget", partial(Budget, nodes=MAX_NODES // 10))


@pytest.mark.usefixtures("_small_budget")
def test_an_alias_bomb_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ManifestError, match="values"):
        load(CONFIG + "\n".join(lines))


@pytest.mark.usefixtures("_small_budget")
def test_a_bomb_of_merges_is_stopped() -> None:
    lines = ["a0: &a0 {x: y}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    with pytest.raises(ManifestError, match="values"):
        load(CONFIG + "\n".join(lines))


def test_a_long_text_used_often_is_stopped() -> None:
    with pytest.raises(ManifestError, match="characters"):
        load(f"{CONFIG}a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 100)}]\n")


@pytest.mark.usefixtures("_small_budget")
def test_bombs_in_many_documents_share_one_budget() -> None:
    tens = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    tens += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 5)]
    document = CONFIG + "\n".join(tens) + "\n---\n"
    with pytest.raises(ManifestError, match="values"):
        load(document * 20)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: *a}\n",
        "a: &a [*a]\n",
        "a: &a {<<: *a}\n",
        "a: &a {<<: [*a, *a]}\n",
    ],
)
def test_an_alias_inside_itself_is_stopped(text: str) -> None:
    with pytest.raises(ManifestError, match="more than 64 levels"):
        load(CONFIG + text)


def test_a_list_inside_itself_is_stopped() -> None:
    with pytest.raises(ManifestError, match="lists in lists"):
        load("&l\napiVersion: v1\nkind: List\nitems: [*l]\n")


def test_lists_in_lists_are_opened_and_empty_ones_are_nothing() -> None:
    inner = "{apiVersion: v1, kind: List, items: [{" + CONFIG_FLOW + "}]}"
    assert len(load(f"apiVersion: v1\nkind: List\nitems: [{inner}]\n")) == 1
    assert load("apiVersion: v1\nkind: List\nitems: []\n") == []
    assert load("apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\n") == []


def test_an_item_without_a_kind_is_an_error_that_names_its_line() -> None:
    with pytest.raises(ManifestError, match="document 1, line 5 has no kind"):
        load("apiVersion: v1\nkind: List\nitems:\n- {" + CONFIG_FLOW + "}\n- {metadata: {}}\n")


def test_an_odd_kind_is_not_quoted() -> None:
    with pytest.raises(ManifestError) as caught:
        load("apiVersion: v1\nkind: 'hunter2 hunter2'\nmetadata: {name: a}\n")
    assert "hunter2" not in caught.value.what + caught.value.remedy


def test_only_real_lists_are_opened() -> None:
    items = "items:\n" + "".join(f"- {line}\n" for line in [f"{{{CONFIG_FLOW}}}"] * 1)
    assert [one.key.kind for one in load(f"apiVersion: v1\nkind: List\n{items}")] == ["ConfigMap"]
    allow = f"apiVersion: x.org/v1\nkind: AllowList\nmetadata: {{name: l}}\n{items}"
    assert [one.key.kind for one in load(allow)] == ["AllowList"]


CONFIG_FLOW = "apiVersion: v1, kind: ConfigMap, metadata: {name: a}"


def test_duplicates_are_refused_in_flux_words_but_groups_differ() -> None:
    with pytest.raises(ManifestError) as caught:
        without_duplicates(load(f"{CONFIG}---\n{CONFIG}"))
    assert caught.value.what == (
        "duplicate definition of '<cluster>:configmap/a' (in demo.yaml): documents 1 and 2, "
        "lines 1 and 5"
    )
    two = [*load(CONFIG), *parse(CONFIG.encode(), "other.yaml")]
    with pytest.raises(ManifestError, match=r"'<cluster>:configmap/a' \(in demo.yaml and other.y"):
        without_duplicates(two)
    other = CONFIG.replace("apiVersion: v1", "apiVersion: x.org/v1")
    assert len(without_duplicates(load(f"{CONFIG}---\n{other}"))) == 2


def test_a_quoted_value_that_was_wrapped_is_found_too() -> None:
    wrapped = "QUJD" * 19 + "\n" + "RERE" * 3
    with pytest.raises(ManifestError, match=r"line 5, 'data.a': .*wraps at 76 columns") as caught:
        load(f'{SECRET}data:\n  a: "{wrapped}"\n')
    assert "QUJD" not in caught.value.what


def test_long_base64_on_one_line_is_no_mistake() -> None:
    value = "QUJD" * 19 + "RERE" * 40
    found = field(f"{SECRET}data:\n  a: {value}\n", "data", "a")
    assert isinstance(found, Plaintext)
    assert found.reveal() == value.encode()


@pytest.mark.parametrize("text", ["true", "null", "0x10", "12e4", "~x", "''", '"on"'])
def test_a_secrets_value_is_never_a_number_nor_shown(text: str) -> None:
    for section in ("data", "stringData"):
        found = field(f"{SECRET}{section}:\n  a: {text}\n", section, "a")
        assert found is None or isinstance(found, Plaintext)


def test_a_secrets_merged_values_are_wrapped_too() -> None:
    text = f"{SECRET}x: &x {{a: hunter2}}\nstringData: {{<<: *x}}\n"
    assert isinstance(field(text, "stringData", "a"), Plaintext)


@pytest.mark.parametrize(
    "text",
    ["{c}---\n---\n", "---\n---\n{c}", "\ufeff{c}", "{c}---\n# only a comment\n", "{c}...\n"],
)
def test_documents_without_content_are_left_out(text: str) -> None:
    assert len(load(text.replace("{c}", CONFIG))) == 1


def test_a_document_of_a_mebibyte_is_read() -> None:
    text = "x" * 1024 * 1024
    assert field(f"{CONFIG}data: {{a: {text}}}\n", "data", "a") == text


def test_line_ends_of_windows_are_read() -> None:
    assert load(CONFIG.replace("\n", "\r\n"))[0].key.name == "a"


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
