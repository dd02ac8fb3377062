"""`.flux.yaml` → what it asks for; Flux v1's format, its crashes turned into errors.

The nearest file upwards counts, from the target to the repository's root (facts: flux-v1 §1.1-1.2).
What Flux v1 passes over without a word is passed over here too, and remarked: it may be a typing
mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NoReturn, TypeAlias, TypeVar

import yaml

from flux_secret.errors import FluxYamlError, ManifestError, UsageError
from flux_secret.generate import scalars
from flux_secret.generate.inside import read_inside, shown
from flux_secret.generate.yamltree import PLAIN, STRING, documents, is_null, line_of
from flux_secret.model.delivery import Remark
from flux_secret.model.duration import parse_duration

NAME: Final = ".flux.yaml"
MAX_BYTES: Final = 1024 * 1024
_EXAMPLE: Final = (
    "write version: 1, and commandUpdated: with generators: a list of command: TEXT, each with a "
    "timeout: 90s if it needs one; or scanForFiles: {}"
)
MAX_REMARKED: Final = 10  # keys that count for nothing; the others are counted
_MAX_NAME: Final = 64  # characters of such a key
_MAX_MERGES: Final = 100  # mappings that `<<` stands for in one file: an alias may lead into itself
_QUOTE: Final = "quote it if it is meant so"
T = TypeVar("T")
_COMMANDS: Final = ("commandUpdated", "patchUpdated")
_SCAN: Final = "scanForFiles"
_SECTIONS: Final = (*_COMMANDS, _SCAN)


@dataclass(frozen=True, slots=True)
class Command:
    """One command and its own limit, if it has one."""

    command: str
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Updater:
    """What Flux v1 ran when it changed an image or a policy; kept, and never run here."""

    container_image: Command | None = None
    policy: Command | None = None


@dataclass(frozen=True, slots=True)
class CommandUpdated:
    """Run these, in order; their output is one stream."""

    generators: tuple[Command, ...]
    updaters: tuple[Updater, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchUpdated:
    """Run these, then merge the patches of a file beside the target."""

    generators: tuple[Command, ...]
    patch_file: str


@dataclass(frozen=True, slots=True)
class ScanForFiles:
    """Read the target as a plain tree, whatever lies above it."""


Config: TypeAlias = CommandUpdated | PatchUpdated | ScanForFiles


@dataclass(frozen=True, slots=True)
class Found:
    """A `.flux.yaml` and the folder that its commands run in."""

    config: Config
    source: str
    """Its path in the repository, for messages."""
    work_directory: Path
    name: str
    """How Flux v1 names it: from the target, `demo/overlay/../.flux.yaml`."""
    remarks: tuple[Remark, ...] = ()
    """What in it counts for nothing."""


def find(root: Path, target: Path) -> Found | None:
    """Find the file that speaks for a target; None when there is none, or when it is a raw file.

    Raises `FluxYamlError` naming file and line.
    """
    if target.name == NAME and target.is_file():
        return _found(root, target, target.parent)
    if not target.is_dir():
        return None
    for folder in (target, *target.parents):
        file = folder / NAME
        if file.is_symlink() or file.exists():  # a link to nowhere is no reason to look higher
            return _found(root, file, target)
        if folder == root:
            return None
    return None


def _found(root: Path, file: Path, work_directory: Path) -> Found:
    source = str(file.relative_to(root))
    try:
        text = read_inside(root, file, max_bytes=MAX_BYTES)
    except ManifestError as error:
        raise FluxYamlError(error.what, remedy=error.remedy) from None
    config, remarks = parse(text, source)
    place = work_directory.relative_to(root)
    above = "../" * (len(place.parts) - len(file.parent.relative_to(root).parts))
    name = f"{shown(place)}/{above}{NAME}" if place.parts else NAME
    return Found(config, source, work_directory, name, remarks)


def parse(text: bytes, source: str) -> tuple[Config, tuple[Remark, ...]]:
    """Read a `.flux.yaml`: its first document, as Flux v1; raise `FluxYamlError`."""
    with closing(documents(text, source)) as rest:
        try:
            number, node = next(rest, (0, None))
        except ManifestError as error:
            raise FluxYamlError(error.what, remedy=error.remedy) from None
        if node is None or number != 1:
            empty = "its first document is empty" if number else "it is empty"
            raise FluxYamlError(f"{source}: {empty}", remedy=_EXAMPLE)
        reader = _Reader(source)
        config = reader.config(node)
        return config, (*reader.remarks(), *_passed_over(rest, source))


def _passed_over(rest: Iterator[tuple[int, yaml.Node]], source: str) -> Iterator[Remark]:
    try:
        _, node = next(rest, (0, None))
    except ManifestError:  # Flux v1 never looks there
        yield Remark(source, "only its first document counts; the rest of it is no YAML")
        return
    if node is not None:
        rest_is = f"another one, at line {line_of(node)}, counts for nothing"
        yield Remark(source, f"only its first document counts: {rest_is}")


class _Violation(Exception):  # noqa: N818 -- what Flux's schema calls it
    """One thing that is wrong; the rest of the file is looked at all the same."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


class _Fields(dict[str, yaml.Node]):
    """A mapping's values by their keys, and where each key stands."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class _Reader:
    """Checks one file, field by field; reports every violation, a line each, as Flux v1 does."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._violations: list[_Violation] = []
        self._remarks: list[tuple[int, str]] = []
        self._merges = 0

    def config(self, node: yaml.Node) -> Config:
        """Read the file; raise `FluxYamlError` with everything that is wrong in it."""
        config = self._checked(lambda: self._config(node))
        if config is not None and not self._violations:
            return config
        found = sorted(self._violations, key=lambda one: one.line)
        lines = [f"line {one.line}: {one.problem}" for one in found]
        what = lines[0] if len(lines) == 1 else "\n  ".join(["config file is not valid:", *lines])
        raise FluxYamlError(f"{self._source}: {what}", remedy=_EXAMPLE)

    def remarks(self) -> Iterator[Remark]:
        """Give what counts for nothing, in the order of the lines."""
        for line, says in sorted(self._remarks)[:MAX_REMARKED]:
            yield Remark(f"{self._source}, line {line}", says)
        if (more := len(self._remarks) - MAX_REMARKED) > 0:
            yield Remark(self._source, f"{more} more such keys or commands count for nothing")

    def _checked(self, read: Callable[[], T]) -> T | None:
        """Read one part; note what is wrong with it and go on."""
        try:
            return read()
        except _Violation as violation:
            self._violations.append(violation)
            return None

    def _config(self, node: yaml.Node) -> Config:
        fields = self._mapping(node, "the file")
        self._checked(lambda: self._version(node, fields.get("version")))
        commands = [name for name in _COMMANDS if name in fields]
        scan = fields.get(_SCAN)
        if scan is not None and commands and is_null(scan):
            self._remark(scan, f"{_SCAN} is empty (null) and counts for nothing")
            scan = None
        if not commands:
            self._only(fields, "the file", {"version", *_SECTIONS})
        if len(commands) > 1 or not (commands or scan):
            given = " and ".join(name for name in _SECTIONS if name in fields) or "none of them"
            self._refuse(node, f"it must have one of {', '.join(_SECTIONS)}, and has {given}")
        self._remark_unknown(fields)
        if scan is None:
            return self._commands(commands[0], fields[commands[0]])
        if commands:
            section = fields[commands[0]]
            self._remark(scan, f"{_SCAN} counts, so no command of {commands[0]} runs")
            if not is_null(section):
                self._checked(partial(self._commands, commands[0], section))
        self._only(self._section(scan, _SCAN), _SCAN, set())
        return ScanForFiles()

    def _commands(self, name: str, section: yaml.Node) -> CommandUpdated | PatchUpdated:
        if name == "patchUpdated":
            return self._patch_updated(section)
        return self._command_updated(section)

    def _remark_unknown(self, fields: _Fields) -> None:
        """Flux v1's schema lets them pass beside a section with commands."""
        for name in fields.keys() - {"version", *_SECTIONS}:
            says = f"{name[:_MAX_NAME]!a} is none of its keys and counts for nothing"
            self._remarks.append((fields.lines[name], says))

    def _remark(self, node: yaml.Node, says: str) -> None:
        self._remarks.append((line_of(node), says))

    def _version(self, node: yaml.Node, version: yaml.Node | None) -> None:
        if version is None:
            self._refuse(node, "it has no version; write version: 1")
        plain = isinstance(version, yaml.ScalarNode) and version.tag == PLAIN
        number = scalars.plain(version.value) if plain else None
        if number is True or number != 1:  # Python's True is a 1
            self._refuse(version, "version must be the number 1")

    def _command_updated(self, node: yaml.Node) -> CommandUpdated:
        fields = self._section(node, "commandUpdated")
        self._only(fields, "commandUpdated", {"generators", "updaters"})
        updaters = tuple(self._updaters(fields))
        return CommandUpdated(tuple(self._generators(node, fields)), updaters)

    def _updaters(self, fields: Mapping[str, yaml.Node]) -> Iterator[Updater]:
        """Read what belongs to image automation, so that a mistake shows."""
        for updater in (
            self._sequence(fields["updaters"], "updaters") if "updaters" in fields else ()
        ):
            read = self._checked(partial(self._updater, updater))
            if read is not None:
                yield read

    def _updater(self, node: yaml.Node) -> Updater:
        given = self._mapping(node, "an updater")
        image, policy = (
            self._checked(partial(self._command, given[name])) if name in given else None
            for name in ("containerImage", "policy")
        )
        return Updater(image, policy)

    def _patch_updated(self, node: yaml.Node) -> PatchUpdated:
        fields = self._section(node, "patchUpdated")
        self._only(fields, "patchUpdated", {"generators", "patchFile"})
        if "patchFile" not in fields:
            self._refuse(node, "patchUpdated has no patchFile")
        file = self._strict_text(fields["patchFile"], "patchFile")
        if not file:
            self._refuse(node, "patchFile is empty")
        return PatchUpdated(tuple(self._generators(node, fields)), file)

    def _generators(self, node: yaml.Node, fields: Mapping[str, yaml.Node]) -> Iterator[Command]:
        if "generators" not in fields:
            self._refuse(node, "it has no generators")
        commands = self._sequence(fields["generators"], "generators")
        if not commands:
            # Flux v1 takes it for zero objects, and garbage collection then deletes everything
            self._refuse(node, "generators is empty")
        for command in commands:
            read = self._checked(partial(self._command, command))
            if read is not None and read.command.strip():
                yield read
            elif read is not None:
                self._remark(command, "a command is empty and runs nothing")

    def _command(self, node: yaml.Node) -> Command:
        fields = self._mapping(node, "a command")
        self._only(fields, "a command", {"command", "timeout"})
        if "command" not in fields:
            self._refuse(node, "a command has no field 'command'")
        text = self._strict_text(fields["command"], "a command")
        if "timeout" not in fields:
            return Command(text)
        a_duration = "write a duration such as 90s or 1m30s"
        wanted = self._strict_text(fields["timeout"], "timeout", a_duration)
        try:
            timeout = parse_duration(wanted.removeprefix("-"))
        except UsageError:
            self._refuse(fields["timeout"], f"timeout is no duration; {a_duration}")
        # Flux v1: a timeout below one second counts as none; Go reads negative ones too
        return Command(text, timeout if timeout >= 1 and wanted[0] != "-" else None)

    def _mapping(self, node: yaml.Node, what: str) -> _Fields:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(node, f"{what} is not a mapping")
        fields, merged = _Fields(), _Fields()
        for key, value in node.value:
            name = self._text(key)
            if name in fields:
                self._refuse(key, f"{name!r} stands twice")
            if name == "<<" and not key.style:  # YAML 1.1, which Flux v1 reads
                self._merge(value, merged)
                continue
            fields[name] = value
            fields.lines[name] = line_of(key)
        _fill(fields, merged)
        return fields

    def _merge(self, node: yaml.Node, merged: _Fields) -> None:
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self._merges += 1
            if self._merges > _MAX_MERGES:
                self._refuse(source, f"`<<` stands for more than {_MAX_MERGES} mappings")
            _fill(merged, self._mapping(source, "what `<<` merges"))

    def _section(self, node: yaml.Node, name: str) -> _Fields:
        """Read a section; written without anything it crashed Flux v1."""
        if is_null(node):
            self._refuse(node, f"{name} is empty (null)")
        return self._mapping(node, name)

    def _sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self._refuse(node, f"{what} is not a list")
        return list(node.value)

    def _text(self, node: yaml.Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in {PLAIN, STRING}:
            self._refuse(node, "a text is wanted here")
        return str(node.value)

    def _strict_text(self, node: yaml.Node | None, what: str, advice: str = _QUOTE) -> str:
        """Give a text; an unquoted number, truth value or null is none, as in Flux's schema."""
        text = self._text(node)
        if isinstance(node, yaml.ScalarNode) and not node.style:
            try:
                is_text = isinstance(scalars.plain(text), str)
            except ValueError:
                is_text = False
            if not is_text:
                self._refuse(node, f"{what} is not a text; {advice}")
        return text

    def _only(self, fields: _Fields, what: str, known: set[str]) -> None:
        allowed = ", ".join(sorted(known)) or "no field"
        for name in fields.keys() - known:
            shown = ascii(name[:_MAX_NAME])
            problem = f"{what} has no field {shown}; it may have {allowed}"
            self._violations.append(_Violation(fields.lines[name], problem))

    def _refuse(self, node: yaml.Node, problem: str) -> NoReturn:
        raise _Violation(line_of(node), problem)


def _fill(fields: _Fields, others: _Fields) -> None:
    """Add what `fields` does not have yet."""
    for name in others.keys() - fields.keys():
        fields[name] = others[name]
        fields.lines[name] = others.lines[name]
