"""The YAML part of an entry → its keys as gopass prints them, and the text it would write back.

gopass uses yaml.v3, a port of libyaml, so libyaml reads here: it takes the same tabs and breaks.
What scalars mean is `yamlscalars`' business (facts: gopass §3.2).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cmp_to_key
from typing import Any, Final

import yaml

from flux_secret.store.format.yamlscalars import (
    Scalar,
    YamlBodyError,
    is_plain,
    printed,
    resolve,
    resolve_tagged,
    written,
)

_MAX_DEPTH: Final = 64  # levels; libyaml's composer ends the process with SIGSEGV at 200,000
_MAX_NODES: Final = 100_000  # values, aliases unfolded: yaml.v3 refuses alias bombs, too
_MAX_RUN: Final = 1_000  # digits of a number in a key, for its order
_STRING: Final = "tag:yaml.org,2002:str"
_PLAIN: Final = "\0plain"
"""The tag of a scalar without quotes and without a tag of its own; nobody can write it."""
_MERGE: Final = "<<"
_MARKS: Final = (yaml.DocumentStartToken, yaml.DocumentEndToken, yaml.DirectiveToken)
_BEFORE: Final = (yaml.StreamStartToken, yaml.DirectiveToken)
"""What may stand before the mark that begins a document."""
_ENDS: Final = (yaml.StreamEndToken, yaml.BlockEndToken)
_AHEAD: Final = 2  # tokens


class _Loader(yaml.CSafeLoader):
    """Composes nodes without guessing what plain scalars mean."""

    # PyYAML's own class attribute: whatever it begins with, a plain scalar is just that
    yaml_implicit_resolvers: dict[str | None, Any] = {None: [(_PLAIN, re.compile(""))]}  # noqa: RUF012

    _depth = 0

    def descend_resolver(self, _current_node: yaml.Node | None, _index: object) -> None:
        """Go down one level."""
        self._depth += 1
        if self._depth > _MAX_DEPTH + 1:  # the document's root counts too
            raise YamlBodyError("too deep")

    def ascend_resolver(self) -> None:
        """Come up one level."""
        self._depth -= 1


def compose(text: str) -> yaml.Node | None:
    """Give the root node of the first document, or None if it is empty.

    Raises `YamlBodyError` for what is no YAML. Marks count characters of `text`.
    """
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_node() if loader.check_node() else None
    except (yaml.YAMLError, ValueError):  # ValueError: a lone surrogate
        raise YamlBodyError("not YAML") from None
    finally:
        if loader is not None:
            loader.dispose()


def look_beyond(text: str) -> None:
    """Raise `YamlBodyError` where yaml.v3 stumbles behind the first document.

    For comments that belong to it yaml.v3 reads two tokens behind the mark that ends a document
    (`yaml_parser_fetch_more_tokens`), and nothing after them. libyaml reads more where a bracket
    may be the beginning of a key: then the tokens before its trouble are counted.
    """
    _, trouble_at = _behind(text)
    if trouble_at is not None and _behind(text[:trouble_at])[0] < _AHEAD:
        raise YamlBodyError("not YAML behind its end")


def _behind(text: str) -> tuple[int, int | None]:
    """Count the tokens behind the first document's end, up to those that yaml.v3 reads.

    With them comes the index of a character that cannot be read; then nothing is counted.
    """
    loader = _Loader(text)
    try:
        tokens = iter(loader.get_token, None)
        is_begun = False
        for token in tokens:
            if is_begun and isinstance(token, _MARKS):
                break
            is_begun = is_begun or not isinstance(token, _BEFORE)
        ahead = itertools.islice(tokens, _AHEAD)
        return sum(not isinstance(token, _ENDS) for token in ahead), None
    except yaml.MarkedYAMLError as trouble:
        mark = trouble.context_mark or trouble.problem_mark
        return 0, int(mark.index) if mark is not None else 0
    except yaml.YAMLError:
        return 0, 0
    finally:
        loader.dispose()


def is_yaml(text: str) -> bool:
    """Whether every document can be read: gopass looks a little beyond the first one's end."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            loader.get_node()
    except (yaml.YAMLError, YamlBodyError):
        return False
    finally:
        loader.dispose()
    return True


def top_level(root: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Give the pairs of the first document's mapping; raise `YamlBodyError` if it is none."""
    if root is None or _is_null(root):
        return
    if not isinstance(root, yaml.MappingNode):
        raise YamlBodyError("no mapping")
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlBodyError("a key that is no scalar")
        yield key, value


@dataclass(frozen=True, slots=True)
class YamlBody:
    """A parsed mapping; it holds values, so it has no readable `repr`."""

    _mapping: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, text: bytes) -> YamlBody:
        """Parse the first document; raise `YamlBodyError` when it is no mapping."""
        try:
            root = compose(text.decode())
            look_beyond(text.decode())
        except UnicodeDecodeError:
            raise YamlBodyError("not UTF-8") from None
        pairs = list(top_level(root))
        if root is None or not pairs:
            return cls({})
        # gopass decodes into a map whose keys are texts: `1: a` has the key "1"
        return cls(_Values().mapping(root, lambda key: None if _is_null(key) else str(key.value)))

    @property
    def is_empty(self) -> bool:
        """Whether there is no key."""
        return not self._mapping

    def rendered(self) -> dict[str, bytes]:
        """Give each top-level value as Go's `%v` prints it."""
        return {
            key: _go(value).encode(errors="surrogateescape") for key, value in self._mapping.items()
        }

    def typed(self) -> dict[str, str]:
        """Give each top-level value so that two are equal only if value and type are."""
        return {key: _typed(value) for key, value in self._mapping.items()}

    def dump(self) -> bytes:
        """Give the text that gopass would write: sorted keys, 4 blanks."""
        return dump(self._mapping)


class _Values:
    """Nodes → values, as yaml.v3 decodes them."""

    def __init__(self) -> None:
        self._left = _MAX_NODES

    def value(self, node: yaml.Node, depth: int = 0) -> Any:  # noqa: ANN401 -- whatever YAML holds
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise YamlBodyError("aliases that unfold to too much")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, lambda key: self.value(key, depth + 1), depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(inner, depth + 1) for inner in node.value]
        return _scalar(node)

    def mapping(self, node: yaml.Node, name: Any, depth: int = 0) -> dict[Any, Any]:  # noqa: ANN401 -- a function of a node
        texts = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(texts)) != len(texts):
            raise YamlBodyError("duplicate key")
        pairs, merged = {}, None
        for key, value in node.value:
            if _is_merge(key):
                merged = value
                continue
            named = name(key)
            if isinstance(named, (dict, list)):
                raise YamlBodyError("a key that is no scalar")
            if named is not None or depth:
                pairs[named] = self.value(value, depth + 1)
        for source in self._sources(merged):
            for key, value in self.value(source, depth + 1).items():
                pairs.setdefault(key, value)
        return pairs

    @staticmethod
    def _sources(merged: yaml.Node | None) -> list[yaml.Node]:
        sources = merged.value if isinstance(merged, yaml.SequenceNode) else [merged]
        if merged is None:
            return []
        if not all(isinstance(source, yaml.MappingNode) for source in sources):
            raise YamlBodyError("a merge of what is no mapping")
        return list(sources)


def _scalar(node: yaml.Node) -> Scalar:
    text = str(node.value)
    if node.tag == _PLAIN:
        return resolve(text)
    return text if node.tag == _STRING else resolve_tagged(node.tag, text)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and _scalar(node) is None


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == _MERGE and node.tag == _PLAIN


class _Dumper(yaml.SafeDumper):
    """yaml.v3's layout: 4 blanks, lists indented, no folding, double quotes."""

    # PyYAML's own class attribute: nothing means anything here, quotes are decided in `_node`
    yaml_implicit_resolvers: dict[str | None, Any] = {}  # noqa: RUF012

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 -- PyYAML's signature
        """Indent to the next multiple of 4, but behind a list's dash by its 2 columns."""
        del flow, indentless
        self.indents.append(self.indent)
        if self.indent is None:
            self.indent = 0
        elif self.states and self.states[-1] == self.expect_block_sequence_item:
            self.indent += 2
        else:
            self.indent = self.best_indent * (self.indent // self.best_indent + 1)

    def analyze_scalar(self, scalar: str) -> yaml.emitter.ScalarAnalysis:
        """Let tabs stand in blocks, where PyYAML would write double quotes."""
        analysis = super().analyze_scalar(scalar.replace("\t", "t"))
        if "\t" in scalar:
            analysis.allow_flow_plain = analysis.allow_block_plain = False
            analysis.allow_single_quoted = False
        analysis.scalar = scalar
        return analysis


def dump(mapping: Mapping[Any, Any]) -> bytes:
    """Give the text that yaml.v3 writes for a mapping."""
    return _serialized(_node(mapping)).encode()


def dump_scalar(value: str, style: str | None) -> str:
    """Give a string as it may stand behind a key; a style that cannot hold it becomes another."""
    if "\n" in value and style != "|":
        style = '"'
    if any(letter > "\uffff" for letter in value) or (style is None and not is_plain(value)):
        style = '"'
    pair = (yaml.ScalarNode(_STRING, "k"), yaml.ScalarNode(_STRING, value, style=style))
    text = _serialized(yaml.MappingNode("tag:yaml.org,2002:map", [pair]))
    return text.removeprefix("k: ").removesuffix("\n")


def _serialized(node: yaml.Node) -> str:
    text = yaml.serialize(node, Dumper=_Dumper, indent=4, allow_unicode=True, width=float("inf"))
    # yaml.v3 prints nothing beyond U+FFFF as it is, so such a scalar stands in double quotes
    return re.sub(r"[^\0-\uffff]", lambda match: f"\\U{ord(match[0]):08X}", str(text))


def _node(value: object) -> yaml.Node:
    if isinstance(value, Mapping):
        pairs = [(_node(key), _node(value[key])) for key in sorted(value, key=cmp_to_key(_compare))]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=not pairs)
    if isinstance(value, list):
        items = [_node(item) for item in value]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=not items)
    if not isinstance(value, str):
        return yaml.ScalarNode(_STRING, written(value))  # type: ignore[arg-type]  # a Scalar
    return yaml.ScalarNode(_STRING, value, style=_style(value))


def _style(text: str) -> str | None:
    if any(letter > "\uffff" for letter in text):
        return '"'
    if "\n" in text:
        return "|"
    return None if is_plain(text) else '"'


def _compare(left: object, right: object) -> int:
    """Order keys as yaml.v3 does (`sorter.go`): digits count as numbers, letters come last."""
    left_number, right_number = _number(left), _number(right)
    if left_number is not None and right_number is not None:
        return (left_number > right_number) - (left_number < right_number)
    if left_number is not None or right_number is not None:
        return 1 if left_number is None else -1
    return _compare_texts(_go(left), _go(right))


def _number(key: object) -> float | None:
    return float(key) if isinstance(key, (bool, int, float)) else None


def _compare_texts(left: str, right: str) -> int:
    at = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if at is None:
        return len(left) - len(right)
    letters = left[at].isalpha(), right[at].isalpha()
    if letters == (True, True):
        return ord(left[at]) - ord(right[at])
    if any(letters):  # behind a digit a letter comes first, elsewhere last
        is_behind_digit = at > 0 and left[at - 1].isdecimal()
        return -1 if letters[0] == is_behind_digit else 1
    started = "0" in (left[at], right[at]) and bool(re.search(r"[1-9]\d*\Z", left[:at]))
    runs = [_digits(text[at:])[:_MAX_RUN] for text in (left, right)]
    values = [int(("1" if started else "") + run or "0") for run in runs]
    return values[0] - values[1] or len(runs[0]) - len(runs[1]) or ord(left[at]) - ord(right[at])


def _digits(text: str) -> str:
    match = re.match(r"\d*", text)
    return match[0] if match else ""


def _go(value: object) -> str:
    """Print as Go's `%v` does."""
    match value:
        case dict():
            keys = sorted(value, key=lambda key: (type(key).__name__, _number(key) or 0, _go(key)))
            return f"map[{' '.join(f'{_go(key)}:{_go(value[key])}' for key in keys)}]"
        case list():
            return f"[{' '.join(map(_go, value))}]"
        case _:
            return printed(value)  # type: ignore[arg-type]  # a Scalar


def _typed(value: object) -> str:
    match value:
        case dict():
            pairs = sorted((_typed(key), _typed(inner)) for key, inner in value.items())
            return repr(pairs)
        case list():
            return repr([_typed(inner) for inner in value])
        case _:
            return f"{type(value).__name__}:{printed(value)}"  # type: ignore[arg-type]  # a Scalar
