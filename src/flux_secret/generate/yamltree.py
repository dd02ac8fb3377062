"""UTF-8 text → YAML nodes, strictly: what a person may have meant otherwise is an error.

An error names source, line and document, never an excerpt: the text may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, Final

import yaml

from flux_secret.errors import ManifestError
from flux_secret.generate import scalars

MAX_DEPTH: Final = 64  # levels of mappings and lists in one document
STRING: Final = "tag:yaml.org,2002:str"
PLAIN: Final = "\0plain"
"""The tag of a scalar without quotes and without a tag of its own; nobody can write it."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_WRAPPED: Final = re.compile(
    rb"^[ \t]+[\w.-]+:[ \t]+[\"']?[A-Za-z0-9+/]{76}\r?\n[A-Za-z0-9+/]{1,76}={0,2}[\"']?\r?$",
    re.MULTILINE,
)
_TAB: Final = re.compile(rb"[ ]*\t")


class _TooDeepError(Exception):
    """A document with more than `MAX_DEPTH` levels."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class _Loader(yaml.CSafeLoader):
    """Composes nodes without guessing what plain scalars mean: that is `scalars.py`'s business.

    libyaml's composer calls itself for each level and has no limit: 200,000 brackets end the whole
    process with SIGSEGV. It tells us before it goes down, so we stop it there.
    """

    # PyYAML's own class attribute: whatever it begins with, a plain scalar is just that
    yaml_implicit_resolvers: dict[str | None, Any] = {None: [(PLAIN, re.compile(""))]}  # noqa: RUF012

    _depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, _index: object) -> None:
        """Go down one level."""
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:  # the document's root counts too
            raise _TooDeepError(line_of(current_node) if current_node is not None else 1)

    def ascend_resolver(self) -> None:
        """Come up one level."""
        self._depth -= 1


def documents(text: bytes, source: str) -> Generator[tuple[int, yaml.Node], None, None]:
    """Give each document's number, from 1, and its root node; empty ones and nulls are left out.

    Raises `ManifestError` for bad UTF-8, tabs, unclosed quotes and whatever else is no YAML.
    """
    loader = _Loader(_decoded(text, source))
    number = 1
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None and not is_null(node):
                yield number, node
            number += 1
    except _TooDeepError as error:
        raise ManifestError(
            f"{source}: document {number}, line {error.line}: more than {MAX_DEPTH} levels",
            remedy="no Kubernetes object is nested so deeply; look at that line",
        ) from None
    except yaml.YAMLError as error:
        raise _explained(error, text, source, number) from None
    finally:
        loader.dispose()


def line_of(node: yaml.Node) -> int:
    """Give the node's line in its source, counted from 1."""
    return int(node.start_mark.line) + 1


def _decoded(text: bytes, source: str) -> str:
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ManifestError(
            f"{source}: line {line} is not UTF-8",
            remedy="save it as UTF-8; a binary value belongs in a Secret's data, as base64",
        ) from None
    control = _CONTROL.search(decoded)
    if control is not None:
        line = decoded.count("\n", 0, control.start()) + 1
        raise ManifestError(
            f"{source}: line {line} has a character that YAML does not allow",
            remedy="a binary value belongs in a Secret's data, as base64",
        )
    return decoded


def is_null(node: yaml.Node) -> bool:
    """Whether a node is an unquoted null, or nothing at all."""
    return isinstance(node, yaml.ScalarNode) and node.tag == PLAIN and scalars.is_null(node.value)


def _explained(error: yaml.YAMLError, text: bytes, source: str, document: int) -> ManifestError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "this is not YAML"  # libyaml's words, no excerpt
    where = f"{source}: document {document}"
    line = b""
    if mark is not None:
        where += f", line {mark.line + 1}"
        line = b"".join(text.split(b"\n")[mark.line : mark.line + 1])
    if _WRAPPED.search(text):
        return wrapped_base64(where)
    if problem == "second occurrence":  # the other half of libyaml's sentence is in its context
        problem = "an anchor (&) stands twice"
    if _TAB.match(line):
        return ManifestError(
            f"{where}: a tab stands where only blanks may", remedy="indent with blanks"
        )
    return ManifestError(
        f"{where}: {problem}", remedy="run the generator by hand and look at that line"
    )


def wrapped_base64(where: str) -> ManifestError:
    """Say what the walkthrough's `| base64` does to a value of more than 57 bytes."""
    return ManifestError(
        f"{where}: a base64 value is broken over several lines: `base64` wraps at 76 columns",
        remedy="use `base64 -w0` (or `| base64 | tr -d '\\n'`), or a ref+gopass:// reference",
    )
