"""`flux-secret audit export`: the record for other programs, and its signatures for gpg."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from flux_secret.audit.exporting import FORMATS, csv_head
from flux_secret.audit.line import Record, number_in
from flux_secret.audit.selecting import Found
from flux_secret.audit.signing import statement
from flux_secret.cli import voice
from flux_secret.cli.audit.asked import place_options, places_of, selection_of, selection_options
from flux_secret.errors import ConfigurationError, UsageError
from flux_secret.model.record import Kind
from flux_secret.outside.files import write_atomic

_STDOUT: Final = Path("-")
_FILTERS: Final = ("entry", "person", "app", "kinds", "since", "until")


@click.command()
@place_options
@selection_options
@click.option("--format", "form", type=click.Choice(("jsonl", *FORMATS)), default="jsonl",
              show_default=True, help="How it is written.")  # fmt: skip
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path),
              help="Write there. Default, or -: standard output.")  # fmt: skip
@click.option("--signatures", metavar="DIRECTORY", type=click.Path(path_type=Path),
              help="Write each chain's last signature there, for gpg --verify.")  # fmt: skip
def export(
    *, form: str, output: Path | None, signatures: Path | None, **given: Any,  # noqa: ANN401 -- click's own options
) -> None:  # fmt: skip
    """Write the record for other programs; as JSON lines it can be verified as it is."""
    if form == "jsonl" and given["pseudonym_key"]:
        raise UsageError(
            "JSON lines are the record's own, in which names stay hidden",
            remedy="leave --pseudonym-key out, or take another --format",
        )
    output = None if output == _STDOUT else output
    found = Found(places_of(given), selection_of(given))
    signed = _Signed()
    count = 0
    with _opened(output) as out:
        if form == "csv":
            out.write(f"{csv_head()}\r\n".encode())
        for record, line in found:
            signed.take(record)
            if form == "jsonl":
                out.write(line)
            else:
                end = "\r\n" if form == "csv" else "\n"
                out.write(f"{FORMATS[form](record)}{end}".encode())
            count += 1
    if signatures is not None:
        signed.write(signatures)
    if output is not None:
        voice.say(f"{voice.counted(count, 'record')} in {output}", err=True)
    if form == "jsonl" and any(given[name] for name in _FILTERS):
        voice.note("a part of a chain cannot be verified; export all of it for that")
    if found.unreadable:
        voice.warn(f"{voice.counted(found.unreadable, 'line')} cannot be read and were left out: "
                   "flux-secret audit verify says which")  # fmt: skip


@dataclass
class _Signed:
    """The last signature of each chain."""

    last: dict[str, Record] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        is_one = number_in(record, "from") is not None and number_in(record, "to") is not None
        if record.kind == Kind.SIGNATURE and is_one:
            self.last[record.writer] = record

    def write(self, folder: Path) -> None:
        """Write what was signed and the signature, two files a chain."""
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for writer, record in self.last.items():
                said = record.details
                first, last = number_in(record, "from") or 0, number_in(record, "to") or 0
                text = statement(writer, first, last, str(said.get("head")))
                name = folder / f"{writer}.txt"
                write_atomic(name, text, mode=0o644)
                signature = str(said.get("signature")).encode()
                write_atomic(folder / f"{writer}.txt.asc", signature, mode=0o644)
                voice.say(f"gpg --verify {name}.asc {name}", err=True)
        if not self.last:
            voice.warn("nothing of it is signed")


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        return
    partial = output.with_name(f".{output.name}.partial")
    with _writing(output):
        try:
            with partial.open("wb") as out:
                yield out
            partial.replace(output)
        except BaseException:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise ConfigurationError(
            f"{failure.filename or place} cannot be written or read: "
            f"{(failure.strerror or '').lower()}",
            remedy="make room, or mend the rights, or name another place",
        ) from None
