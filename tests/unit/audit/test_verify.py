"""Each attack on the record, and what verification calls it; what is honest stays so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flux_secret.audit.check import Anchor, Place
from flux_secret.audit.places import place_at
from flux_secret.audit.signing import Verifier
from flux_secret.audit.verify import Report, verify
from flux_secret.errors import ConfigurationError, KeyFileError
from flux_secret.model.record import Kind
from simulators.chains import Chain, public, rehashed

_KEY = "agent"
_REPLACED = "names another record 4 than the one before it: one of the two was replaced"


def _honest(writer: str = "agent-000000000001") -> Chain:
    return Chain(writer, _KEY).reads(5).sign().reads(5).sign()


def _verify(*paths: Path, keys: str | None = _KEY, known: tuple[Anchor, ...] = ()) -> Report:
    verifier = Verifier.load("keys.asc", public(keys)) if keys else None
    return verify([place_at(path) for path in paths], verifier, known)


def _fault(report: Report) -> str:
    (fault,) = [f"{fault.name}: {fault.says} [{fault.place}]" for _, fault in report.faults]
    assert report.exit_code == 6
    return fault


@pytest.mark.parametrize("keys", [_KEY, None])
def test_an_honest_record_is_whole(tmp_path: Path, keys: str | None) -> None:
    _honest().write(tmp_path, begins=(1, 4, 9))
    report = _verify(tmp_path, keys=keys)
    assert (report.exit_code, report.faults, report.findings, report.notes) == (0, [], [], [])
    (one,) = report.chains
    assert (one.chain.first, one.chain.last.seq, one.chain.signed_to) == (1, 13, 12)


def test_what_else_lies_in_a_volume_is_no_writer(tmp_path: Path) -> None:
    _honest().write(tmp_path)
    (tmp_path / "lost+found").mkdir(mode=0)
    (tmp_path / "README").write_text("the record")
    report = _verify(tmp_path)
    assert (report.exit_code, len(report.chains)) == (0, 1)


def test_two_writers_that_saw_each_other_are_whole(tmp_path: Path) -> None:
    one, other = _honest(), _honest("agent-000000000002")
    one.saw(other).sign().write(tmp_path)
    other.saw(one).saw(one, 3).sign().write(tmp_path)
    assert _verify(tmp_path).exit_code == 0


def _edited(chain: Chain) -> None:
    chain.lines[3] = chain.lines[3].replace(b"entry-2", b"entry-9")


def _forged(chain: Chain) -> None:
    chain.lines[3], _ = rehashed(chain.lines[3].replace(b"entry-2", b"entry-9"))


def _rewritten(chain: Chain) -> None:
    """Change one record, and link all behind it anew."""
    chain.lines[3] = chain.lines[3].replace(b"entry-2", b"entry-9")
    prev = chain.hashes[2]
    for at in range(3, len(chain.lines)):
        chain.lines[at], prev = rehashed(chain.lines[at], prev)


def _swapped(chain: Chain) -> None:
    chain.lines[3], chain.lines[4] = chain.lines[4], chain.lines[3]


def _missing(chain: Chain) -> None:
    del chain.lines[3]


def _many_missing(chain: Chain) -> None:
    del chain.lines[3:6]


def _repeated(chain: Chain) -> None:
    chain.lines.insert(5, chain.lines[3])


def _foreign(chain: Chain) -> None:
    chain.lines[3] = Chain("agent-00000000000f").reads(9).lines[3]


def _beheaded(chain: Chain) -> None:
    del chain.lines[:3]


def _another_beginning(chain: Chain) -> None:
    chain.lines[0], _ = rehashed(chain.lines[0], "1" * 64)


def _signed_by_a_stranger(chain: Chain) -> None:
    chain.reads(1).sign("stranger")


def _signature_of_another_chain(chain: Chain) -> None:
    other = _honest("agent-000000000002").reads(1).sign()
    last = other.lines[-1].replace(other.writer.encode(), chain.writer.encode())
    last = last.replace(other.hashes[13].encode(), chain.reads(1).hashes[13].encode())
    chain.lines.append(rehashed(last, chain.hashes[-1])[0])


def _signature_of_an_older_state(chain: Chain) -> None:
    chain.reads(1)
    last = chain.lines[12].replace(b'"seq":13', b'"seq":15').replace(b'"to":12', b'"to":13')
    chain.lines.append(rehashed(last, chain.hashes[-1])[0])


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (_edited, "edited: the line was edited: its hash is another (record 4 is expected) [F:4]"),
        (
            _forged,
            f"forged: record 5 {_REPLACED} [F:5]",
        ),
        (_rewritten, "forged: the signature in record 7 is over another record 6 [F:7]"),
        (
            _swapped,
            "reordered: record 5 stands where record 4 has to be; that is at F:5 [F:4]",
        ),
        (_missing, "missing: record 4 is missing before record 5 [F:4]"),
        (_many_missing, "missing: records 4 to 6 are missing before record 7 [F:4]"),
        (_repeated, "repeated: record 4 stands there a second time [F:6]"),
        (_foreign, "foreign: record 4 is of agent-00000000000f [F:4]"),
        (_beheaded, "truncated: it begins with record 4, and no checkpoint says why [F:1]"),
        (_another_beginning, "forged: record 1 is not how a chain begins [F:1]"),
        (
            _signed_by_a_stranger,
            "forged: the signature in record 15 is not by a key that was given (it names x) [F:15]",
        ),
        (
            _signature_of_another_chain,
            "forged: the signature in record 15 is not by a key that was given (it names x) [F:15]",
        ),
        (
            _signature_of_an_older_state,
            "forged: the signature in record 15 is over another record 13 [F:15]",
        ),
    ],
)
def test_an_attack_is_named_with_file_and_line(
    tmp_path: Path, attack: Callable[[Chain], None], said: str
) -> None:
    chain = _honest()
    attack(chain)
    chain.write(tmp_path)
    file = f"{chain.writer}/000000000001.jsonl"
    assert _fault(_verify(tmp_path)) == said.replace("F:", f"{file}:")


def test_a_file_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    folder = _honest().write(tmp_path, begins=(1, 4, 9))
    (folder / "000000000004.jsonl").unlink()
    place = f"{folder.name}/000000000009.jsonl:1"
    assert _fault(_verify(tmp_path)) == (
        f"missing: records 4 to 8 are missing before record 9 [{place}]"
    )


def test_a_record_without_its_signatures_is_a_finding(tmp_path: Path) -> None:
    Chain().reads(5).write(tmp_path)
    report = _verify(tmp_path)
    assert report.exit_code == 1
    assert report.findings == ["agent-000000000001: nothing in it is signed"]
    assert _verify(tmp_path, keys=None).exit_code == 0


def test_an_unsigned_end_is_said(tmp_path: Path) -> None:
    _honest().reads(3).write(tmp_path)
    report = _verify(tmp_path)
    assert report.exit_code == 0
    assert report.notes == [
        "agent-000000000001: 3 records behind the last signature (of record 12) are not signed yet"
    ]


def test_an_end_that_goes_on_without_a_signature_is_a_finding(tmp_path: Path) -> None:
    """Who has the disk and not the key writes the end anew, and leaves the signatures out."""
    _honest().reads(3700).write(tmp_path)
    report = _verify(tmp_path)
    assert report.exit_code == 1
    (finding,) = report.findings
    assert "3700 records since 2026-11-29T19:00:13.000Z are not signed" in finding


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b'{"about":"x"', "half a line stands before other lines"),
        (b"x" * (1024 * 1024 + 9), "the line is longer than 1048576 bytes"),
    ],
)
def test_half_a_line_is_of_a_writer_at_work_only_at_the_end(
    tmp_path: Path, more: bytes, said: str
) -> None:
    folder = _honest().write(tmp_path, begins=(1, 8))
    with (folder / "000000000008.jsonl").open("ab") as file:
        file.write(b'{"about":"x"')
    assert _verify(tmp_path).exit_code == 0
    with (folder / "000000000001.jsonl").open("ab") as file:
        file.write(more)
    assert f"edited: {said}" in _fault(_verify(tmp_path))


@pytest.mark.parametrize("known", [False, True])
def test_a_cut_end_shows_in_what_others_saw(tmp_path: Path, known: bool) -> None:
    chain = _honest()
    if known:
        saw = Anchor(chain.writer, "an earlier verification", 13, chain.hashes[12], Place("h", 0))
        chain.until(8).write(tmp_path)
        report = _verify(tmp_path, known=(saw,))
        by, place = "an earlier verification", "h:0"
    else:
        other = _honest("agent-000000000002").saw(chain).sign()
        other.write(tmp_path)
        chain.until(8).write(tmp_path)
        report = _verify(tmp_path)
        by, place = other.writer, f"{other.writer}/000000000001.jsonl:14"
    assert _fault(report) == (
        f"truncated: it ends with record 8, and {by} saw record 13 of it [{place}]"
    )


def test_a_chain_that_was_written_anew_is_a_fork_of_what_others_saw(tmp_path: Path) -> None:
    chain = _honest()
    other = _honest("agent-000000000002").saw(chain, 5).sign()
    other.write(tmp_path)
    forked = chain.until(3).reads(9)
    forked.signed_to = 0
    forked.sign().write(tmp_path)  # by the agent's own key, which its host has
    saw = f"{other.writer}/000000000001.jsonl:14"
    assert _fault(_verify(tmp_path)) == (
        f"forked: record 5 is another than the one that {other.writer} saw ({saw}) "
        f"[{chain.writer}/000000000001.jsonl:5]"
    )


def test_a_chain_that_is_nowhere_is_missed_if_others_saw_it(tmp_path: Path) -> None:
    gone = _honest("agent-000000000002")
    folder = _honest().saw(gone).sign().write(tmp_path)
    report = _verify(tmp_path)
    assert [writer for writer, _ in report.faults] == [gone.writer]
    assert _fault(report).startswith(
        "absent: agent-000000000001 saw record 13 of it, and it is nowhere"
    )
    assert _verify(folder).exit_code == 0  # one writer's folder: the others are not asked about


def test_two_places_with_one_chain_have_to_agree(tmp_path: Path) -> None:
    chain = _honest()
    chain.write(tmp_path / "a")
    chain.copy().reads(2).sign().write(tmp_path / "b")
    a, b = tmp_path / "a", tmp_path / "b"
    assert _fault(_verify(a, b)) == (
        f"truncated: it ends with record 13 in {a}, and with record 16 in {b} [{a}:0]"
    )
    chain.until(4).reads(9).write(tmp_path / "b")
    report = _verify(a, b, keys=None)
    assert {fault.name for _, fault in report.faults} == {"forked"}
    assert "its copy in" in report.faults[0][1].says


def _trimmed(*, signed: bool) -> Chain:
    chain = _honest()
    chain.add(Kind.CHECKPOINT, chain.writer, to=5, head=chain.hashes[4], files=1)
    return chain.sign() if signed else chain


def test_files_that_were_removed_to_save_room_are_said(tmp_path: Path) -> None:
    folder = _trimmed(signed=True).write(tmp_path, begins=(1, 6))
    (folder / "000000000001.jsonl").unlink()
    report = _verify(tmp_path)
    assert report.exit_code == 0
    (said,) = report.notes
    assert said.endswith(
        "5 records at the beginning were removed to save room, on 2026-11-29T19:00:13.000Z"
    )


def test_more_may_not_be_removed_than_the_checkpoint_says(tmp_path: Path) -> None:
    folder = _trimmed(signed=True).write(tmp_path, begins=(1, 7))
    (folder / "000000000001.jsonl").unlink()
    assert "begins with record 7, and no checkpoint says why" in _fault(_verify(tmp_path))


def test_a_checkpoint_of_another_record_is_none(tmp_path: Path) -> None:
    chain = _honest().add(Kind.CHECKPOINT, "x", to=5, head="f" * 64, files=1).sign()
    folder = chain.write(tmp_path, begins=(1, 6))
    (folder / "000000000001.jsonl").unlink()
    assert "begins with record 6, and no checkpoint says why" in _fault(_verify(tmp_path))


@pytest.mark.parametrize("number", [True, "1", None])
def test_what_is_no_number_names_no_record(tmp_path: Path, number: bool | str | None) -> None:
    """In Python `true` is 1, and would stand for the first record."""
    other = Chain("agent-000000000002")
    other.write(tmp_path)
    chain = Chain().add(Kind.ANCHOR, other.writer, seq=number, head=other.hashes[0])
    folder = chain.write(tmp_path)
    assert "forged: record 2 names no number of a record" in _fault(_verify(tmp_path, keys=None))
    chain = _honest()
    details = {"from": 1, "to": number, "head": chain.hashes[0], "key": "x", "signature": "x"}
    chain.add(Kind.SIGNATURE, "1..1", **details).write(tmp_path)
    assert "forged: record 14 is no signature" in _fault(_verify(tmp_path))
    chain = Chain().add(Kind.CHECKPOINT, "x", to=number, head=Chain().hashes[0], files=1)
    chain.write(tmp_path, begins=(1, 2))
    (folder / "000000000001.jsonl").unlink()
    assert "no checkpoint says why" in _fault(_verify(tmp_path, keys=None))


def test_a_checkpoint_that_nobody_signed_is_none(tmp_path: Path) -> None:
    folder = _trimmed(signed=False).write(tmp_path, begins=(1, 6))
    (folder / "000000000001.jsonl").unlink()
    assert _fault(_verify(tmp_path)).startswith("unsigned: the checkpoint in record 14")
    assert _verify(tmp_path, keys=None).exit_code == 0


def test_an_intent_without_outcome_is_found_after_the_next_start(tmp_path: Path) -> None:
    chain = Chain(key=_KEY)
    chain.add(Kind.INTENT, "demo", delivery="a").add(Kind.OUTCOME, "demo", delivery="a")
    chain.add(Kind.INTENT, "demo", delivery="b")
    chain.sign().write(tmp_path)
    assert _verify(tmp_path).notes == ["agent-000000000001: 1 begun and not ended yet"]
    chain.add(Kind.STARTED, "agent").sign().write(tmp_path)
    report = _verify(tmp_path)
    assert report.exit_code == 1
    (said,) = report.findings
    assert "record 4 (2026-11-29T19:00:03.000Z) began demo, and nothing says how it ended" in said


def test_half_a_line_at_the_end_is_no_record_and_no_fault(tmp_path: Path) -> None:
    chain = _honest()
    chain.lines.append(b'{"about":"apps/')
    chain.write(tmp_path)
    report = _verify(tmp_path)
    assert report.exit_code == 0
    assert "is half a line" in report.notes[0]


def test_an_export_of_several_chains_is_checked_like_their_folders(tmp_path: Path) -> None:
    one, other = _honest(), _honest("agent-000000000002")
    one.saw(other).sign()
    export = tmp_path / "export.jsonl"
    lines = [
        line for pair in zip(one.lines, [*other.lines, b"", b""], strict=True) for line in pair
    ]
    export.write_bytes(b"".join(lines))
    report = _verify(export)
    assert report.exit_code == 0
    assert sorted(one.chain.last.seq for one in report.chains) == [13, 15]
    export.write_bytes(b"".join(one.lines))
    assert _fault(_verify(export)).startswith("absent:")


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, str])
def test_a_place_without_a_record_says_so(tmp_path: Path, make: Callable[[Path], object]) -> None:
    place = tmp_path / "record"
    make(place)
    with pytest.raises(ConfigurationError, match="holds no record"):
        place_at(place)


@pytest.mark.parametrize("untrusted", [b"", b"rubbish", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_a_file_without_a_public_key_says_so(untrusted: bytes) -> None:
    with pytest.raises(KeyFileError, match="holds no OpenPGP public key"):
        Verifier.load("keys.asc", untrusted)
