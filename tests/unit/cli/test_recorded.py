"""Every command is on the record, or there is a reason why not; of what was typed, only names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from flux_secret.audit.line import Record, parse
from flux_secret.audit.places import FolderPlace
from flux_secret.cli.lazy import LazyGroup
from flux_secret.cli.main import main
from flux_secret.cli.recorded import COMMANDS, OnRecord, on_record, recorded
from flux_secret.errors import EntryNotFoundError, RecordError, UsageError
from flux_secret.model.record import Kind, Note

VALUE = "hunter2-typed-as-an-argument"


def every(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def test_the_table_has_every_command() -> None:
    """A new one: write into `cli/recorded.py` what is recorded of it, or why nothing is."""
    assert {name for name, _ in every(main)} - COMMANDS.keys() == set()


def test_the_table_names_parameters_that_there_are() -> None:
    commands = dict(every(main))
    for name, what in COMMANDS.items():
        if isinstance(what, OnRecord) and name in commands:
            named = {*what.about, *what.only_with, *what.named.values(), *what.instead}
            assert named <= {one.name for one in commands[name].params}, name


def test_every_command_is_found_where_it_is_recorded() -> None:
    def groups(group: click.Group) -> Iterator[click.Group]:
        yield group
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from groups(command)

    assert all(isinstance(one, LazyGroup) for one in groups(main))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLUX_SECRET_RECORD_DIR", str(tmp_path / "record"))
    monkeypatch.setenv("USER", "person1")
    return tmp_path / "record"


def notes(place: Path) -> list[Record]:
    found = (
        [parse(line.untrusted.rstrip(b"\n")) for line in FolderPlace(place).lines()]
        if place.exists()
        else []
    )
    return [one for one in found if one.kind not in {"segment", "signature"}]


def program(does: Callable[[], object]) -> click.Group:
    """Give a command line with the words of ours, and no effect but this one."""

    @click.group()
    @click.option("--no-record", is_flag=True)
    def top(*, no_record: bool) -> None:
        del no_record

    @click.group()
    def store() -> None:
        pass

    @click.command()
    @click.argument("entry")
    @click.argument("fields", nargs=-1)
    def insert(entry: str, fields: tuple[str, ...]) -> None:
        del entry, fields
        does()

    @click.command()
    @click.argument("source")
    @click.argument("target")
    def mv(source: str, target: str) -> None:
        del source, target
        does()

    @click.command()
    @click.argument("folder")
    def ls(folder: str) -> None:
        del folder
        does()

    @click.command()
    @click.argument("entry")
    def show(entry: str) -> None:
        del entry
        does()

    @click.command()
    @click.argument("folder")
    def grep(folder: str) -> None:
        del folder
        does()

    for one in (insert, mv, ls, show, grep):
        store.add_command(recorded(one))
    top.add_command(store)
    return top


def run(does: Callable[[], object], *arguments: str) -> None:
    program(does).main(list(arguments), prog_name="flux-secret", standalone_mode=False)


def test_a_command_is_recorded_before_its_effect_and_without_what_was_typed(place: Path) -> None:
    seen: list[list[Record]] = []
    run(lambda: seen.append(notes(place)), "store", "insert", "apps/demo", f"user={VALUE}")
    ((note,),) = seen
    assert (note.kind, note.about) == (Kind.STORE, "apps/demo")
    assert note.details["command"] == "store insert"
    assert str(note.details["person"]).startswith("person1@")
    assert notes(place) == [note]
    assert not any(VALUE.encode() in file.read_bytes() for file in place.rglob("*.jsonl"))


def test_a_command_about_two_entries_has_two_notes(place: Path) -> None:
    run(lambda: None, "store", "mv", "apps/old", "apps/new")
    assert [note.about for note in notes(place)] == ["apps/old", "apps/new"]


def test_a_command_that_only_shows_names_is_not_recorded(place: Path) -> None:
    run(lambda: None, "store", "ls", "apps")
    assert notes(place) == []


def test_a_command_that_fails_says_so_and_not_in_its_own_words(place: Path) -> None:
    def fails() -> None:
        raise EntryNotFoundError(f"no entry {VALUE}")

    with pytest.raises(EntryNotFoundError):
        run(fails, "store", "insert", "apps/demo")
    begun, ended = notes(place)
    assert (ended.kind, ended.about, ended.details["error"]) == (
        Kind.OUTCOME, "store insert", "EntryNotFound",
    )  # fmt: skip
    assert begun.details["delivery"] == ended.details["delivery"]
    assert VALUE not in repr(ended)


def test_a_command_that_ends_with_a_code_says_so(place: Path) -> None:
    def ends() -> None:
        click.get_current_context().exit(7)

    run(ends, "store", "mv", "a", "b")
    assert notes(place)[-1].details["error"] == "exit code 7"


def test_what_cannot_be_recorded_does_not_happen_but_in_an_emergency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLUX_SECRET_RECORD_DIR", str(tmp_path / "file" / "record"))
    done: list[str] = []
    with pytest.raises(RecordError) as refused:
        run(lambda: done.append("x"), "store", "insert", "apps/demo")
    assert done == []
    assert "flux-secret --no-record" in refused.value.remedy
    run(lambda: done.append("x"), "--no-record", "store", "insert", "apps/demo")
    assert done == ["x"]
    assert "nothing of this is recorded: --no-record" in capsys.readouterr().err


def reads(*entries: str, blob: str = "b1") -> None:
    """Do as a store does before it decrypts."""
    one = [
        Note(Kind.READ, entry, {"blob": blob, "commit": "c1", "store": "x"}) for entry in entries
    ]
    asyncio.run(on_record().write(one))


def test_one_line_has_who_reads_what_of_which_version_before_it_is_decrypted(place: Path) -> None:
    seen: list[list[Record]] = []

    def shows() -> None:
        seen.append(notes(place))
        reads("apps/demo")
        seen.append(notes(place))

    run(shows, "store", "show", "apps/demo")
    before, (note,) = seen
    assert before == []
    assert (note.kind, note.about, note.details["command"]) == (
        Kind.READ, "apps/demo", "store show",
    )  # fmt: skip
    assert str(note.details["person"]).startswith("person1@")
    assert (note.details["store"], note.details["commit"], note.details["blob"]) == (
        "x", "c1", "b1",
    )  # fmt: skip
    assert notes(place) == [note]


def test_an_entry_that_is_not_there_is_recorded_as_it_was_typed(place: Path) -> None:
    def fails() -> None:
        raise EntryNotFoundError("no such entry")

    with pytest.raises(EntryNotFoundError):
        run(fails, "store", "show", "apps/typo")
    asked, ended = notes(place)
    assert (asked.kind, asked.about) == (Kind.READ, "apps/typo")
    assert "blob" not in asked.details
    assert (ended.kind, ended.details["error"]) == (Kind.OUTCOME, "EntryNotFound")
    assert asked.details["delivery"] == ended.details["delivery"]


@pytest.mark.parametrize("ends", [lambda: None, lambda: click.get_current_context().exit(0)])
def test_what_was_asked_for_and_not_read_is_recorded_at_the_end(
    place: Path, ends: Callable[[], object]
) -> None:
    run(ends, "store", "show", "apps/demo")
    assert [(note.kind, note.about) for note in notes(place)] == [(Kind.READ, "apps/demo")]


def test_an_interrupted_command_has_what_was_asked_for_on_the_record(place: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(click.exceptions.Abort):
        run(interrupted, "store", "show", "apps/demo")
    assert [note.about for note in notes(place)] == ["apps/demo"]


def test_what_leads_elsewhere_has_a_line_for_either_name(place: Path) -> None:
    run(lambda: reads("apps/other"), "store", "show", "apps/demo")
    assert [note.about for note in notes(place)] == ["apps/demo", "apps/other"]


def test_a_command_that_reads_many_is_recorded_first_and_then_each_of_them(place: Path) -> None:
    seen: list[list[str]] = []

    def searches() -> None:
        seen.append([note.about for note in notes(place)])
        reads("apps/a", "apps/b")
        reads("apps/b", "apps/c")  # the same version twice is one line
        reads("apps/b", blob="b2")

    run(searches, "store", "grep", "apps")
    assert seen == [["apps"]]
    whole = notes(place)
    assert [note.about for note in whole] == [
        "apps", "apps/a", "apps/b", "apps/c", "apps/b",
    ]  # fmt: skip
    assert len({note.details["delivery"] for note in whole}) == 1


def test_a_command_that_is_not_recorded_is_when_it_reads_after_all(place: Path) -> None:
    def reads_and_fails() -> None:
        reads("apps/a")
        raise UsageError("no")

    with pytest.raises(UsageError):
        run(reads_and_fails, "store", "ls", "apps")
    read, ended = notes(place)
    assert (read.about, read.details["command"]) == ("apps/a", "store ls")
    assert ended.kind == Kind.OUTCOME


def test_what_is_read_and_cannot_be_recorded_is_not_decrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FLUX_SECRET_RECORD_DIR", str(tmp_path / "file" / "record"))
    done: list[str] = []

    def shows() -> None:
        reads("apps/demo")
        done.append("decrypted")

    with pytest.raises(RecordError) as refused:
        run(shows, "store", "show", "apps/demo")
    assert done == []
    assert "flux-secret --no-record store show" in refused.value.remedy
    with pytest.raises(RecordError, match="nothing can be recorded"):
        run(lambda: None, "store", "show", "apps/typo")  # what was asked for has to be, too
    run(shows, "--no-record", "store", "show", "apps/demo")
    assert done == ["decrypted"]
