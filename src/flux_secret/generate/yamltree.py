"""UTF-8 text → YAML nodes, strictly: what a person may have meant otherwise is an error.

An error names source, line and document, never an excerpt: the text may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from flux_secret.errors import ManifestError

MAX_NODES: Final = 1_000_000  # values of one stream, aliases counted each time they are used
MAX_DEPTH: Final = 64
STRING: Final = "tag:yaml.org,2002:str"
_WRAPPED: Final = re.compile(
    rb"^[ \t]+[\w.-]+:[ \t]+[A-Za-z0-9+/]{76}\r?\n[A-Za-z0-9+/]{1,76}={0,2}\r?$", re.MULTILINE
)


class _Loader(yaml.CSafeLoader):
    """Composes nodes without guessing what plain scalars mean: that is `scalars.py`'s business."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- PyYAML's own class attribute


def documents(text: bytes, source: str) -> Iterator[tuple[int, yaml.Node]]:
    """Give each document's number, from 1, and its root node; empty documents are left out.

    Raises `ManifestError` for bad UTF-8, tabs, unclosed quotes and whatever else is no YAML.
    """
    number = 0
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ManifestError(
            f"{source}: line {line} is not UTF-8",
            remedy="save it as UTF-8, or use ?encoding=base64",
        ) from None
    loader = _Loader(decoded)
    try:
        while loader.check_node():
            number += 1
            node = loader.get_node()
            if node is not None and not _is_empty(node):
                yield number, node
    except yaml.YAMLError as error:
        raise _explained(error, text, source, number + 1) from None
    except RecursionError:
        raise ManifestError(
            f"{source}: document {number + 1} is nested too deeply",
            remedy=f"keep it under {MAX_DEPTH} levels",
        ) from None
    finally:
        loader.dispose()


def line_of(node: yaml.Node) -> int:
    """Give the node's line in its source, counted from 1."""
    return int(node.start_mark.line) + 1


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.value and not node.style


def _explained(error: yaml.YAMLError, text: bytes, source: str, document: int) -> ManifestError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "this is not YAML"
    where = f"{source}: document {document}"
    if mark is not None:
        where += f", line {mark.line + 1}"
    if _WRAPPED.search(text):
        return ManifestError(
            f"{where}: a base64 value is broken over several lines: `base64` wraps at 76 columns",
            remedy="use `base64 -w0` (or `| base64 | tr -d '\\n'`), or a ref+gopass:// reference",
        )
    if "\\t" in problem or "\t" in problem:
        problem = "a tab stands where only blanks may"
    return ManifestError(
        f"{where}: {problem}", remedy="run the generator by hand and look at that line"
    )
