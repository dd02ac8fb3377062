"""The record on real disks, signed by the real gpg, read by the real commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from flux_secret.audit.line import NO_HASH, parse
from flux_secret.audit.places import place_at
from flux_secret.audit.sealer import Pace, kept
from flux_secret.audit.segments import segment_files
from flux_secret.audit.signing import Verifier
from flux_secret.audit.verify import verify
from flux_secret.errors import KeyFileError
from flux_secret.model.record import Kind, Note
from flux_secret.outside.gpg import Gpg
from flux_secret.settings.record import RecordSettings
from flux_secret.wiring.record import GpgSigner, recorder, signer_of
from simulators.chains import Chain, public, recorded_chain
from simulators.gnupg import Home, home
from simulators.person import Done, Person, person

TESTS = Path(__file__).parent.parent
AGENT, OTHER = "flux@example.org", "other@example.org"
_SLOW = Pace(sign_seconds=3600, anchor_seconds=3600)


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.rsa(AGENT, 2048, mixed=False)
        made.signing_key(OTHER)
        yield made


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", []) as made:
        yield made


def _recording(*words: str) -> list[str]:
    return [sys.executable, "-m", "simulators.recording", *words]


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TESTS)}


@pytest.mark.parametrize("how", ["a full disk", "a limit on files"])
def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    if how == "a full disk":
        place = tmp_path / "disk"
        place.mkdir()
        sandbox = ["bwrap", "--dev-bind", "/", "/", "--size", "200000", "--tmpfs", str(place)]
        argv = [*sandbox, *_recording("until_full", str(place / "record"), "0")]
        reason = "no space left on device"
    else:
        argv = _recording("until_full", str(tmp_path / "record"), "20000")
        reason = "file too large"
    done = subprocess.run(argv, env=_env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, _, written = done.stdout.partition("--\n")
    durable = [line for line in said.splitlines() if line.startswith(("entry-", "at last"))]
    assert f"refused: nothing can be recorded in {tmp_path}" in said
    assert f": {reason}\n" in said
    assert said.count("refused again") == 3
    assert len(durable) > 10
    records, prev = [], NO_HASH
    for line in written.splitlines():
        record = parse(line.encode())
        assert record.prev == prev
        prev = record.hash
        records.append(record)
    assert [one.about for one in records if one.kind == Kind.READ] == durable
    assert durable[-1] == "at last"
    (resumed,) = [one for one in records if one.kind == Kind.RESUMED]
    assert resumed.details["calls"] == 4
    assert said.count("record.failed") == 1  # said loudly, and not for each


def test_after_a_kill_everything_that_was_promised_is_there(tmp_path: Path) -> None:
    promised = 0
    for _ in range(3):
        with subprocess.Popen(
            _recording("forever", str(tmp_path)), env=_env(), stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(60)]
            process.kill()
            lines += process.stdout.read().splitlines(keepends=True)
        promised += sum(line.endswith("\n") for line in lines)
    report = verify([place_at(tmp_path)], None)
    assert report.exit_code == 0
    (folder,) = tmp_path.iterdir()  # each goes on with the chain of the one before
    written = sum(file.read_bytes().count(b'"kind":"read"') for file in segment_files(folder))
    assert promised <= written <= promised + 9


@contextlib.asynccontextmanager
async def _gpg(gnupg: Home, who: str) -> AsyncIterator[Gpg]:
    gpg = Gpg.private([gnupg.private_key(who)], b"", path=os.environ["PATH"])
    try:
        yield gpg
    finally:
        await gpg.close()


async def _recorded(gnupg: Home, root: Path, who: str = AGENT, name: str = "agent") -> Path:
    async with _gpg(gnupg, who) as gpg:
        signer = GpgSigner(gpg, gnupg.fingerprint(who))
        async with kept(root, name, signer=signer, pace=_SLOW) as record:
            await record.write([Note(Kind.READ, "apps/application/demo", {"app": "demo"})])
            await record.write([Note(Kind.DELIVERED, "secret/demo", {"resourceVersion": "7"})])
            return record.folder


async def test_what_gpg_signed_counts_here_and_what_we_export_counts_for_gpg(
    gnupg: Home, tmp_path: Path, me: Person
) -> None:
    folder = await _recorded(gnupg, tmp_path / "record")
    key = tmp_path / "agent.asc"
    key.write_bytes(gnupg.public_key(AGENT))
    done = me.flux("audit", "verify", str(folder.parent), "--key", str(key))
    assert b"the record is whole" in done.out
    assert "warning" not in done.err
    out = tmp_path / "export.jsonl"
    words = ("--output", str(out), "--signatures", str(tmp_path / "signatures"))
    told = me.flux("audit", "export", str(folder.parent), *words)
    assert out.read_bytes() == segment_files(folder)[0].read_bytes()
    (command,) = [line for line in told.err.splitlines() if line.startswith("gpg --verify")]
    with home() as somebody:
        somebody.gpg("--import", stdin=key.read_bytes())
        somebody.gpg(*command.split()[1:])
        text = tmp_path / "signatures" / f"{folder.name}.txt"
        last = parse(segment_files(folder)[0].read_bytes().splitlines()[2])
        assert f"seq 1..3\nhash {last.hash}\n" in text.read_text()
        text.write_text(text.read_text().replace("seq 1..3", "seq 1..2"))
        status = somebody.gpg("--status-fd", "1", *command.split()[1:], fail=True)
        assert b"BADSIG" in status


async def test_only_the_keys_that_are_given_count(gnupg: Home, tmp_path: Path) -> None:
    folder = await _recorded(gnupg, tmp_path, who=OTHER)
    place = [place_at(folder)]
    assert verify(place, Verifier.load("k", gnupg.public_key(OTHER))).exit_code == 0
    (fault,) = verify(place, Verifier.load("k", gnupg.public_key(AGENT))).faults
    assert (fault[1].name, fault[1].place.line) == ("forged", 4)
    both = Verifier.load("k", gnupg.public_key(AGENT) + gnupg.public_key(OTHER))
    assert verify(place, both).exit_code == 0


def test_a_key_that_has_expired_since_counts_and_one_that_was_revoked_does_not() -> None:
    with home() as somebody:
        somebody.signing_key("old@example.org", at="20200101T000000", expires="1y")
        key = Verifier.load("k", somebody.public_key("old@example.org"))
        words = ("--faked-system-time=20200601T000000", "--armor", "--detach-sign")
        assert key.signed_by(b"text", somebody.gpg(*words, stdin=b"text"))
        late = somebody.gpg(  # its owner signs on, with a clock that is put back
            "--faked-system-time=20200602T000000", "--armor", "--detach-sign", stdin=b"other"
        )
        assert key.signed_by(b"text", late) is None
        somebody.signing_key(AGENT)
        signature = somebody.gpg("--local-user", AGENT, "--armor", "--detach-sign", stdin=b"text")
        assert Verifier.load("k", somebody.public_key(AGENT)).signed_by(b"text", signature)
        revoked = Verifier.load("k", somebody.revoked(AGENT))
        assert revoked.signed_by(b"text", signature) is None


async def test_the_agent_signs_with_a_key_that_can_and_says_so_when_none_can(
    tmp_path: Path, gnupg: Home
) -> None:
    with home() as old:
        old.gpg(
            "--passphrase", "", "--pinentry-mode", "loopback", "--quick-generate-key",
            "Old <old@example.org>", "rsa2048", "cert", "0",
        )  # fmt: skip
        async with _gpg(old, "old@example.org") as gpg:
            assert await signer_of(gpg, None) is None
            with pytest.raises(KeyFileError, match="cannot sign the record with the key 'old@"):
                await signer_of(gpg, "old@example.org")
    async with _gpg(gnupg, AGENT) as gpg:
        signer = await signer_of(gpg, None)
        assert signer is not None
        assert signer.key == gnupg.fingerprint(AGENT)
        settings = RecordSettings(folder=tmp_path / "r", name="agent")
        async with recorder(settings, gpg) as record:
            await record.write([Note(Kind.READ, "x")])
    report = verify([place_at(tmp_path / "r")], Verifier.load("k", gnupg.public_key(AGENT)))
    assert (report.exit_code, report.notes) == (0, [])


async def test_hidden_names_are_shown_to_who_has_the_key(tmp_path: Path, me: Person) -> None:
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    root = tmp_path / "r"
    async with recorder(RecordSettings(root, "agent", pseudonym_key=key)) as record:
        await record.write([Note(Kind.READ, "apps/application/demo", {"app": "demo"})])
    assert b"application" not in b"".join(file.read_bytes() for file in root.glob("*/*.jsonl"))
    asked = ("audit", "log", str(root), "--entry", "apps/application/")
    assert "nothing on the record is like that" in me.flux(*asked).err
    shown = me.flux(*asked, "--pseudonym-key", str(key))
    assert b"apps/application/demo" in shown.out


def _verify(me: Person, *words: object, check: bool = False) -> Done:
    return me.flux("audit", "verify", *map(str, words), check=check)


def test_a_fault_ends_with_six_and_names_file_and_line(tmp_path: Path, me: Person) -> None:
    chain = recorded_chain(tmp_path / "r")
    chain.lines[3] = chain.lines[3].replace(b"entry-2", b"entry-9")
    chain.write(tmp_path / "r")
    done = _verify(me, tmp_path / "r")
    assert done.code == 6
    assert "edited: agent-000000000001: the line was edited" in done.err
    assert "at agent-000000000001/000000000001.jsonl:4" in done.err
    told = json.loads(_verify(me, tmp_path / "r", "-o", "json").out)
    assert told["whole"] is False
    assert (told["faults"][0]["name"], told["faults"][0]["line"]) == ("edited", 4)


def test_what_was_seen_once_cannot_be_cut_later(tmp_path: Path, me: Person) -> None:
    chain = recorded_chain(tmp_path / "r")
    heads = tmp_path / "heads.json"
    key = tmp_path / "k.asc"
    key.write_bytes(public("agent"))
    words = (tmp_path / "r", "--key", key, "--remember", heads)
    assert _verify(me, *words).code == 0
    assert json.loads(heads.read_text())["heads"][chain.writer]["seq"] == 9
    chain.reads(2).sign().write(tmp_path / "r")
    assert _verify(me, *words).code == 0
    chain.until(9).write(tmp_path / "r")
    done = _verify(me, *words)
    assert done.code == 6
    assert "truncated: agent-000000000001: it ends with record 9, and the last" in done.err
    for spoilt in ("[]", json.dumps({"heads": {chain.writer: {"seq": True, "hash": "0" * 64}}})):
        heads.write_text(spoilt)
        assert _verify(me, *words).code == 3


def test_findings_end_with_one(tmp_path: Path, me: Person) -> None:
    recorded_chain(tmp_path / "r", signs=False)
    key = tmp_path / "k.asc"
    key.write_bytes(public("agent"))
    done = _verify(me, tmp_path / "r", "--key", key)
    assert (done.code, b"whole\n" in done.out) == (1, True)
    assert "warning: agent-000000000001: nothing in it is signed" in done.err
    unchecked = _verify(me, tmp_path / "r")
    assert unchecked.code == 0
    assert "no signature was checked" in unchecked.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("verify",), 3, "you have no record yet"),
        (("log",), 3, "you have no record yet"),
        (("verify", "/nowhere"), 3, "/nowhere holds no record"),
        (("verify", "R", "--key", "/nowhere"), 4, "/nowhere cannot be read"),
        (("verify", "--git", "R"), 3, "has no branch flux-secret/record"),
        (("log", "R", "--since", "yesterday"), 2, "--since 'yesterday' is no time"),
        (("log", "R", "--kind", "red"), 2, "is not one of"),
        (("log", "R", "--pseudonym-key", "/dev/null"), 4, "has 0 bytes"),
        (("export", "R", "--output", "/nowhere/x"), 3, "cannot be written"),
        (("export", "R", "--pseudonym-key", "/dev/null"), 2, "names stay hidden"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    tmp_path: Path, me: Person, words: tuple[str, ...], code: int, said: str
) -> None:
    recorded_chain(tmp_path / "r")
    done = me.flux(
        "audit", *(word.replace("R", str(tmp_path / "r")) for word in words), check=False
    )
    assert (done.code, said in done.err) == (code, True), done.err


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        ((), [2, 3, 4, 5, 6, 7, 8]),
        (("--entry", "apps/entry-1"), [3]),
        (("--entry", "apps/entry-*"), [2, 3, 4, 5, 6]),
        (("--entry", "apps/"), [2, 3, 4, 5, 6, 7]),
        (("--app", "demo"), [2, 3, 4, 5, 6, 8]),
        (("--person", "Jane"), [7]),
        (("--kind", "refused", "--kind", "store"), [7, 8]),
        (("--kind", "signature"), [9]),
        (("--since", "2026-11-29T19:00:06Z"), [7, 8]),
        (("--until", "2026-11-29T19:00:02Z"), [2]),
        (("--since", "2026-11-30"), []),
        (("--limit", "2"), [7, 8]),
        (("--all", "--limit", "0"), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_the_log_shows_what_is_asked_for(
    tmp_path: Path, me: Person, words: tuple[str, ...], seqs: list[int]
) -> None:
    recorded_chain(tmp_path / "r")
    done = me.flux("audit", "log", str(tmp_path / "r"), "-o", "json", *words)
    assert [record["seq"] for record in json.loads(done.out)["records"]] == seqs


def test_a_branch_without_a_record_is_not_called_whole(tmp_path: Path, me: Person) -> None:
    """Whoever may push over it can leave an empty one there."""
    clone = tmp_path / "clone"
    me.run("git", "init", "-q", "-b", "flux-secret/record", clone)
    me.run("git", "-C", clone, "commit", "-q", "--allow-empty", "-m", "nothing")
    for words in (("verify",), ("verify", "--remember", str(tmp_path / "heads")), ("log",)):
        done = me.flux("audit", *words, "--git", str(clone), check=False)
        assert (done.code, done.out) == (3, b"")
        assert f"{clone} (flux-secret/record) holds no record" in done.err
    assert not (tmp_path / "heads").exists()


def test_a_record_that_is_in_two_places_is_shown_once(tmp_path: Path, me: Person) -> None:
    chain = recorded_chain(tmp_path / "r")
    (tmp_path / "export.jsonl").write_bytes(b"".join(chain.lines))
    places = (str(tmp_path / "r"), str(tmp_path / "export.jsonl"))
    assert me.flux("audit", "export", *places).out == b"".join(chain.lines)


def test_a_table_obeys_no_escape_and_merges_writers_by_time(tmp_path: Path, me: Person) -> None:
    recorded_chain(tmp_path / "r")
    Chain("jane@laptop-000000000001").reads(2).write(tmp_path / "r")
    out = me.flux("audit", "log", str(tmp_path / "r")).out.decode()
    assert "\x1b" not in out
    times = [line.split()[0] for line in out.splitlines()[1:]]
    assert times == sorted(times)
    assert len(times) == 9
    mine = me.flux("audit", "log", str(tmp_path / "r"), "--person", "jane").out.decode()
    assert mine.count("jane@laptop") == 2


def test_anybody_can_compute_a_hash_as_the_page_says(tmp_path: Path) -> None:
    page = (TESTS.parent / "docs" / "record.md").read_text()
    found = re.search(r"^\$ (sed -n 3p 000000000001\.jsonl .*)$", page, re.MULTILINE)
    assert found is not None
    chain = Chain("agent-000000000001", "agent")
    chain.add(Kind.READ, "x").add(Kind.READ, 'päth/"hash":"', hash="x").sign()
    folder = chain.write(tmp_path)
    for number in (1, 2, 3, 4):
        command = found[1].replace("3p", f"{number}p")
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[0] == chain.hashes[number - 1]
