"""A person's command → a note on their own record before it does anything.

This is the one place that does it, for every command: `LazyGroup` has them all go through here, and
a test finds each command in the table, with what is recorded of it or why nothing is. Recorded are
the command's words and the names in its arguments that the table allows: entries, folders, stores,
keys, clusters. Nothing else that was typed is, since it may be a value.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import click

from flux_secret.cli import voice
from flux_secret.cli.commandrecord import CommandRecord, explained
from flux_secret.errors import FluxSecretError, KeyFileError, RecordError
from flux_secret.model.record import Kind, Note, Recorder, Unrecorded
from flux_secret.settings.record import RecordSettings

NO_RECORD: Final = "no_record"
_META: Final = "flux_secret.record"


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What is recorded of a command."""

    kind: Kind
    about: tuple[str, ...] = ()
    """Its parameters that name what it is about: a note for each name that was given."""
    only_with: tuple[str, ...] = ()
    """Options without which nothing of it is recorded: it decrypts nothing then."""
    named: Mapping[str, str] = field(default_factory=dict)
    """Detail → the parameter that it is: keys, a commit."""
    instead: Mapping[str, Kind] = field(default_factory=dict)
    """An option with which it is of another kind."""
    waits: bool = False
    """Whether that comes with what it reads, as it does nothing before: one line, not two."""


_NAMES: Final = "it shows names, recipients and commits; nothing is decrypted"
_CLUSTER: Final = "it asks the cluster or the agent, whose own logs have it"
_ITSELF: Final = "what it delivers is recorded read by read, object by object"
_READS: Final = "what it reads of stores is recorded read by read"
_RECORD: Final = "it is about the record itself"

COMMANDS: Final[Mapping[str, OnRecord | str]] = {
    "access diff": _NAMES,
    "access graph": _NAMES,
    "access what": _NAMES,
    "access who": _NAMES,
    "adopt": _ITSELF,
    "age": OnRecord(Kind.READ, ("entries",)),
    "agent": _ITSELF,
    "audit export": _RECORD,
    "audit log": _RECORD,
    "audit verify": _RECORD,
    "bootstrap": OnRecord(Kind.KEY, ("cluster",)),
    "completion": "it prints a script, which is the same for everybody",
    "deliver": _ITSELF,
    "demo": "it plays in a place of its own, and shows that place's record",
    "doctor": OnRecord(Kind.READ),
    "events": _CLUSTER,
    "identity": OnRecord(Kind.KEY, ("cluster_name",), only_with=("from",)),
    "install": OnRecord(Kind.KEY),
    "logs": _CLUSTER,
    "offboard": OnRecord(
        Kind.READ, ("store",), named={"keys": "key"}, instead={"remove": Kind.RECIPIENTS}
    ),
    "owners approve": OnRecord(Kind.APPROVAL, ("store",), named={"prefix": "prefix"}),
    "owners check": _NAMES,
    "owners edit": OnRecord(Kind.OWNERS, ("store",)),
    "owners ls": _NAMES,
    "recipients add": OnRecord(Kind.RECIPIENTS, ("folder",), named={"keys": "ids"}),
    "recipients check": _NAMES,
    "recipients ls": _NAMES,
    "recipients remove": OnRecord(Kind.RECIPIENTS, ("folder",), named={"keys": "ids"}),
    "recipients update": OnRecord(Kind.RECIPIENTS, ("store",)),
    "reencrypt": OnRecord(Kind.STORE, ("place",)),
    "resume": _CLUSTER,
    "retire-cluster": OnRecord(Kind.RECIPIENTS, ("cluster",)),
    "rotate-operator-key": OnRecord(Kind.KEY, ("cluster",)),
    "status": _CLUSTER,
    "store accept-rewind": OnRecord(Kind.REWIND, ("store",), named={"commit": "commit"}),
    "store check": OnRecord(Kind.READ, ("store",), only_with=("decrypts",)),
    "store clone": OnRecord(Kind.STORE, ("mount",)),
    "store cp": OnRecord(Kind.STORE, ("source", "target")),
    "store edit": OnRecord(Kind.STORE, ("entry",)),
    "store generate": OnRecord(Kind.STORE, ("entry",)),
    "store grep": OnRecord(Kind.READ, ("folder",)),
    "store history": OnRecord(
        Kind.READ, ("entry",), only_with=("password", "everything"), waits=True
    ),
    "store init": OnRecord(Kind.STORE, ("mount",), named={"keys": "keys"}),
    "store insert": OnRecord(Kind.STORE, ("entry",)),
    "store ls": _NAMES,
    "store mv": OnRecord(Kind.STORE, ("source", "target")),
    "store otp": OnRecord(Kind.READ, ("entry",), waits=True),
    "store rm": OnRecord(Kind.STORE, ("entry",)),
    "store show": OnRecord(Kind.READ, ("entry",), waits=True),
    "store sync": OnRecord(Kind.STORE, ("mounts",)),
    "suspend": _CLUSTER,
    "sync": _CLUSTER,
    "why": _READS,
}
"""Each command, and what is recorded of it, or why nothing is."""


def recorded(command: click.Command) -> click.Command:
    """Give a command that is on the record before it does anything."""
    callback = command.callback
    if callback is None:
        return command

    @functools.wraps(callback)
    def run(*given: Any, **named: Any) -> Any:  # noqa: ANN401 -- the command's own
        with _on_record(click.get_current_context()) as ends:
            ended = callback(*given, **named)
            ends(ended)
        return ended

    made = copy.copy(command)
    made.callback = run
    return made


def is_recorded(context: click.Context) -> bool:
    """Whether the person lets what they do be recorded; says so where they do not."""
    if not _is_emergency(context):
        return True
    voice.warn("nothing of this is recorded: --no-record")
    return False


def on_record() -> Recorder:
    """Give the record of the command that runs: it has each entry before it is decrypted."""
    recorder: Recorder = click.get_current_context().meta[_META]
    return recorder


@asynccontextmanager
async def persons_record(context: click.Context) -> AsyncIterator[Recorder | None]:
    """Open the person's record for a command that delivers; None where they do not want it."""
    from flux_secret.wiring.onrecord import persons

    if not is_recorded(context):
        yield None
        return
    async with AsyncExitStack() as opened:
        try:
            record = await opened.enter_async_context(persons(RecordSettings.of_person()))
        except (RecordError, KeyFileError) as failure:
            raise explained(failure, _name(context)) from None
        yield record


@contextmanager
def _on_record(context: click.Context) -> Iterator[Callable[[object], None]]:
    """Record what a command is about, then let it go on; record that it failed, if it does.

    Gives who is told how it ended.
    """
    what = COMMANDS.get(_name(context))
    wanted = isinstance(what, OnRecord) and _applies(what, context.params)
    asks = is_recorded(context) if wanted else not _is_emergency(context)
    if not asks:
        context.meta[_META] = Unrecorded()
        yield lambda _ended: None
        return
    record = context.meta[_META] = CommandRecord(_name(context))
    if isinstance(what, OnRecord) and wanted:
        record.begin([*_notes(what, context.params)], waits=what.waits)

    def ends(ended: object) -> None:
        record.end(f"exit code {ended}" if isinstance(ended, int) and ended else "")

    try:
        yield ends
    except click.exceptions.Exit as ended:
        ends(ended.exit_code)
        raise
    except FluxSecretError as failure:  # its words may quote what was typed
        record.end(type(failure).__name__.removesuffix("Error"))
        raise
    except BaseException:
        with suppress(RecordError):
            record.end()
        raise


def _is_emergency(context: click.Context) -> bool:
    return bool(context.find_root().params.get(NO_RECORD))


def _name(context: click.Context) -> str:
    names: list[str] = []
    while context.parent is not None:
        names.append(context.info_name or "")
        context = context.parent
    return " ".join(reversed(names))


def _applies(what: OnRecord, params: Mapping[str, Any]) -> bool:
    return not what.only_with or any(params.get(name) for name in what.only_with)


def _notes(what: OnRecord, params: Mapping[str, Any]) -> Iterator[Note]:
    details = {detail: _texts(params.get(name)) for detail, name in what.named.items()}
    kinds = (kind for option, kind in what.instead.items() if params.get(option))
    kind = next(kinds, what.kind)
    named = [name for one in what.about for name in _texts(params.get(one))]
    for name in named or ["all"]:
        yield Note(kind, name, details)


def _texts(given: object) -> list[str]:
    """Give a parameter as names: one, several, or none."""
    if given is None or given == "":
        return []
    several = given if isinstance(given, tuple | list) else (given,)
    return [str(one) for one in several]
