"""Texts of a repository → the line that names an entry, an object, or what an error says."""

from __future__ import annotations

import pytest

from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.reference import Lookup, Part
from flux_secret.reconcile.why import places

SCRIPT = (
    "#!/bin/sh\n# apps/demo is commented out\nA=$(gopass $STORE/demo)\nB=$(gopass ${STORE}//demo)\n"
)
FLUX = """version: 1
commandUpdated:
  generators:
    - command: kustomize build .
    - command: ./s.sh x
"""
MANIFEST = """kind: ConfigMap
metadata: {name: db}
---
apiVersion: v1
kind: Secret
metadata:
  name: db
  namespace: dev
stringData:
  a: ref+gopass://apps/demo2
  b: ref+gopass://apps/demo#user
  c: ref+gopass://apps/demo
"""


def asked(text: str, key: str = "") -> Lookup:
    part = Part.KEY if key else Part.WHOLE
    return Lookup(SecretPath.parse(text), part, key)


@pytest.mark.parametrize(
    ("text", "entry", "key", "line"),
    [
        (SCRIPT, "apps/demo", "", 3),
        (MANIFEST, "apps/demo", "", 11),
        (MANIFEST, "apps/demo", "user", 11),
        (MANIFEST, "apps/demo2", "", 10),
        ("x: ref+gopass://apps/demo-old\n", "apps/demo", "", None),
        ("x: other/apps/demo\n", "apps/demo", "", None),
        ("gopass show -o 'apps/demo' user", "apps/demo", "", 1),
        ("gopass $OTHER/demo", "apps/demo", "", None),
    ],
)
def test_a_line_that_asks_for_an_entry(text: str, entry: str, key: str, line: int | None) -> None:
    found = places.of_entry([("a/b", text)], asked(entry, key), {"STORE": "apps"})
    assert (found.line if found else None) == line


def test_the_nearest_file_is_looked_through_first() -> None:
    listed = ["z", "demo/base/x", "demo/overlay/prod/x", "demo/overlay/dev/x", "demo/overlay/y"]
    assert places.nearest_first(listed, "demo/overlay/dev") == [
        "demo/overlay/dev/x", "demo/overlay/y", "demo/overlay/prod/x", "demo/base/x", "z",
    ]  # fmt: skip


def test_an_object_is_found_in_a_document_of_its_kind() -> None:
    key = ObjectKey("", "Secret", "dev", "db")
    found = places.of_object([("a", MANIFEST)], key)
    assert found == places.Spot("a", 7, "  name: db")
    assert places.of_object([("a", MANIFEST)], ObjectKey("", "Service", "dev", "db")) is None


@pytest.mark.parametrize(
    ("said", "file", "line"),
    [
        ('error executing generator command "./s.sh x" from file "demo/.flux.yaml": exit status 1',
         "demo/.flux.yaml", 5),
        ("it is null, in demo/.flux.yaml: ./s.sh x, document 1, line 3", "demo/.flux.yaml", 5),
        ("secret/db in dev: data.x is null, in demo/secret.yaml, document 2, line 4",
         "demo/secret.yaml", 4),
        ("demo/.flux.yaml: line 2: version must be the number 1", "demo/.flux.yaml", 2),
        ("demo/secret.yaml, line 900: a tab", "demo/secret.yaml", 12),
    ],
)  # fmt: skip
def test_the_place_that_a_sentence_names(said: str, file: str, line: int) -> None:
    texts = [("secret.yaml", "x"), ("demo/secret.yaml", MANIFEST), ("demo/.flux.yaml", FLUX)]
    found = places.of_failure(texts, said)
    assert found is not None
    assert (found.file, found.line) == (file, line)


def test_a_sentence_that_names_no_file_has_no_place() -> None:
    assert places.of_failure([("a/b", "x")], "nothing of it") is None


@pytest.mark.parametrize(
    ("said", "program"),
    [
        ('generator command "./s.sh x" from file "demo/.flux.yaml": exit status 1', "demo/s.sh"),
        ('generator command "sh ../t.sh" from file "demo/.flux.yaml": exit status 1', "t.sh"),
        ("x is null, in demo/.flux.yaml: ./s.sh x, document 1, line 3", "demo/s.sh"),
        ('generator command "kustomize build ." from file "demo/.flux.yaml": exit status 1', ""),
        ("demo/secret.yaml, line 4: a tab", ""),
    ],
)
def test_the_program_that_a_command_runs(said: str, program: str) -> None:
    texts = [("demo/s.sh", "#!/bin/sh"), ("t.sh", "#!/bin/sh"), ("demo/.flux.yaml", FLUX)]
    spot = places.Spot("demo/.flux.yaml", 5, "")
    assert places.of_program(texts, spot, said) == program
