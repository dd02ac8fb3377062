"""`flux-secret audit verify`: whether the record is what was written, offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from flux_secret.audit.check import Anchor, Place
from flux_secret.audit.line import WRITER
from flux_secret.audit.signing import Verifier
from flux_secret.audit.verify import Report, Verified
from flux_secret.audit.verify import verify as verified
from flux_secret.cli import voice
from flux_secret.cli.audit.asked import place_options, places_of
from flux_secret.cli.tables import table
from flux_secret.errors import ConfigurationError, KeyFileError
from flux_secret.outside.files import write_atomic
from flux_secret.outside.reading import read_bounded

MAX_KEY: Final = 16 * 1024 * 1024
"""Bytes of a file of keys, or of remembered heads."""
_HEAD: Final = ("CHAIN", "PLACE", "RECORDS", "FROM", "TO", "SIGNED", "STATE")


@click.command()
@place_options
@click.option("--key", "keys", multiple=True, metavar="FILE", type=click.Path(path_type=Path),
              help="Public keys whose signatures count; may be repeated. Default: signatures are "
              "not checked.")  # fmt: skip
@click.option("--remember", metavar="FILE", type=click.Path(path_type=Path),
              help="Compare with how far the chains were the last time, and note how far they "
              "are.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table",
              show_default=True, help="How it is written.")  # fmt: skip
@click.pass_context
def verify(
    context: click.Context, /, *, keys: Sequence[Path], remember: Path | None, output: str,
    **given: Any,  # noqa: ANN401 -- click's own options
) -> None:  # fmt: skip
    """Find the first edited, missing, moved or forged line of the record, and what is unsigned.

    PLACE is a folder that --record-dir names, a writer's folder in it, or a file of an export;
    your own record when it is left out. No network and no private key is used.
    """
    verifier = _verifier(keys)
    try:
        report = verified(places_of(given), verifier, _remembered(remember))
    except OSError as failure:
        raise ConfigurationError(
            f"the record cannot be read: {failure.filename}: {(failure.strerror or '').lower()}",
            remedy="mend the rights; or a file went while it was read: try again",
        ) from None
    if output == "json":
        click.echo(json.dumps(_tree(report), indent=2, ensure_ascii=False))
    else:
        _say(report, has_keys=verifier is not None)
    if remember is not None and not report.faults:
        _remember(remember, report)
    context.exit(report.exit_code)


def _say(report: Report, *, has_keys: bool) -> None:
    for line in table(_HEAD, [_row(one, report) for one in report.chains]):
        voice.say(line)
    for writer, fault in report.faults:
        click.secho(voice.printable(f"{fault.name}: {writer}: {fault.says}"), fg="red", err=True)
        click.echo(f"  at {voice.printable(str(fault.place))}", err=True)
    for finding in report.findings:
        voice.warn(finding)
    for note in report.notes:
        voice.note(note)
    if not has_keys:
        voice.note("no signature was checked: name the public key with --key FILE")
    if report.faults:
        click.secho("the record is not what was written", fg="red", err=True)
        click.echo("  remedy: keep all of it as it is, and compare with another copy: a branch, an "
                   "export, a backup", err=True)  # fmt: skip
    elif not report.findings:
        voice.say("the record is whole")


def _row(one: Verified, report: Report) -> Sequence[str]:
    chain = one.chain
    bad = [fault.name for writer, fault in report.faults if writer == chain.writer]
    signed = f"to {chain.signed_to}" if chain.signatures else "no"
    count = chain.last.seq - chain.first + 1 if chain.first else 0
    state = bad[0] if bad else "whole"
    return (chain.writer, one.place.name, str(count), chain.began, chain.ended, signed, state)


def _tree(report: Report) -> Mapping[str, object]:
    return {
        "whole": not report.faults,
        "chains": [
            {
                "writer": one.chain.writer, "place": one.place.name, "first": one.chain.first,
                "last": one.chain.last.seq, "head": one.chain.last.hash,
                "from": one.chain.began, "to": one.chain.ended, "signedTo": one.chain.signed_to,
                "signatures": one.chain.signatures, "signedBy": sorted(one.chain.signed_by),
                "unsigned": one.chain.unsigned,
            }
            for one in report.chains
        ],
        "faults": [
            {"writer": writer, "name": fault.name, "says": fault.says, "file": fault.place.file,
             "line": fault.place.line}
            for writer, fault in report.faults
        ],
        "findings": report.findings,
        "notes": report.notes,
    }  # fmt: skip


def _verifier(files: Sequence[Path]) -> Verifier | None:
    if not files:
        return None
    found = [Verifier.load(str(file), _read(file)) for file in files]
    return Verifier(tuple(key for one in found for key in one.certificates))


def _read(file: Path) -> bytes:
    try:
        return read_bounded(file, MAX_KEY)
    except OSError as failure:
        raise KeyFileError(
            f"{file} cannot be read: {(failure.strerror or '').lower()}",
            remedy="export the agent's public key: gpg --armor --export KEYID > FILE",
        ) from None


def _remembered(file: Path | None) -> Sequence[Anchor]:
    """Read how far the chains were the last time; nothing before the first."""
    if file is None or not file.exists():
        return ()
    try:
        heads = json.loads(read_bounded(file, MAX_KEY))["heads"]
        place = Place(str(file), 0)
        return [
            Anchor(
                str(writer), "the last verification", _seq(head["seq"]), str(head["hash"]), place
            )
            for writer, head in heads.items()
            if WRITER.match(writer)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{file} is not what an earlier `audit verify --remember` wrote",
            remedy="name that file, or remove this one and begin anew",
        ) from None


def _seq(number: object) -> int:
    if type(number) is not int:  # `true`, too
        raise TypeError
    return number


def _remember(file: Path, report: Report) -> None:
    heads: dict[str, dict[str, object]] = {}
    for one in sorted(report.chains, key=lambda one: one.chain.last.seq):
        seq, digest = one.chain.last
        heads[one.chain.writer] = {"seq": seq, "hash": digest}
    try:
        write_atomic(file, json.dumps({"heads": heads}, indent=2).encode() + b"\n")
    except OSError as failure:
        raise ConfigurationError(
            f"{file} cannot be written: {(failure.strerror or '').lower()}",
            remedy="make its folder, or name another file",
        ) from None
