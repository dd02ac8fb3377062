"""The record is durable before anybody goes on, whole after any crash, and goes on by itself."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux_secret.audit import keeper as keeping
from flux_secret.audit.keeper import RecordKeeper
from flux_secret.audit.line import NO_HASH, Record, parse
from flux_secret.audit.segments import Bounds, segment_files
from flux_secret.errors import BugError, RecordError
from flux_secret.model.record import Kind, Note


def _note(number: int = 0) -> Note:
    return Note(Kind.READ, f"apps/entry-{number}", {"app": "demo"})


def _lines(root: Path) -> Iterator[bytes]:
    (folder,) = root.iterdir()
    for file in segment_files(folder):
        yield from file.read_bytes().splitlines(keepends=True)


def _records(root: Path) -> list[Record]:
    """Read the one chain that is there, and check that it is one."""
    records, prev = [], NO_HASH
    for seq, line in enumerate(_lines(root), 1):
        record = parse(line.removesuffix(b"\n"))
        assert (record.seq, record.prev) == (seq, prev)
        prev = record.hash
        records.append(record)
    return records


def _abouts(root: Path, kind: Kind = Kind.READ) -> list[str]:
    return [record.about for record in _records(root) if record.kind == kind]


async def test_what_was_written_is_a_chain_that_names_its_writer(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "Jane Doe@Laptop") as record:
        await record.write([_note(1), _note(2)])
        await record.write([])
        writer = record.writer
    assert writer.startswith("jane-doe@laptop-")
    assert _abouts(tmp_path) == ["apps/entry-1", "apps/entry-2"]
    first = _records(tmp_path)[0]
    assert (first.kind, first.about, first.writer) == ("segment", writer, writer)


async def test_the_files_are_for_nobody_else(tmp_path: Path) -> None:
    root = tmp_path / "state" / "record"
    async with RecordKeeper(root, "agent") as record:
        await record.write([_note()])
        paths = [root, record.folder, *record.folder.iterdir()]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


async def test_a_writer_that_starts_again_goes_on_with_its_chain(tmp_path: Path) -> None:
    for number in range(3):
        async with RecordKeeper(tmp_path, "agent") as record:
            await record.write([_note(number)])
    assert _abouts(tmp_path) == ["apps/entry-0", "apps/entry-1", "apps/entry-2"]


async def test_two_at_once_have_two_chains(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "agent") as one, RecordKeeper(tmp_path, "agent") as other:
        await asyncio.gather(one.write([_note(1)]), other.write([_note(2)]))
        assert one.writer != other.writer
        writers = {one.writer, other.writer}
    async with RecordKeeper(tmp_path, "agent") as again:
        assert again.writer in writers


async def test_many_callers_share_a_write_and_none_is_answered_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    flush = os.fdatasync

    def counted(handle: int) -> None:
        flush(handle)
        flushed.append(sum(line.count(b'"read"') for line in _lines(tmp_path)))

    monkeypatch.setattr(os, "fdatasync", counted)
    async with RecordKeeper(tmp_path, "agent") as record:

        async def write(number: int) -> None:
            await record.write([_note(number)])
            assert f"apps/entry-{number}" in _abouts(tmp_path)
            assert flushed[-1] >= 1

        await asyncio.gather(*(write(number) for number in range(60)))
    assert len(_abouts(tmp_path)) == 60
    assert len(flushed) < 20


class _Disk:
    """Refuses to write, or to flush, from some moment on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refuses: str = ""
        self.code = errno.ENOSPC
        self.takes_first = 0
        for name in ("write", "fdatasync", "ftruncate"):
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(handle: int, *arguments: bytes | int) -> object:
            if name in self.refuses.split() and self._is_file(handle):
                if name == "write" and self.takes_first:
                    taken, self.takes_first = self.takes_first, 0
                    return real(handle, bytes(arguments[0])[:taken])
                raise OSError(self.code, os.strerror(self.code))
            return real(handle, *arguments)

        return call

    @staticmethod
    def _is_file(handle: int) -> bool:
        return Path(f"/proc/self/fd/{handle}").readlink().suffix == ".jsonl"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> _Disk:
    return _Disk(monkeypatch)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("refuses", ["write", "fdatasync", "write ftruncate"])
async def test_a_disk_that_refuses_is_an_error_and_leaves_no_half_line(
    tmp_path: Path, disk: _Disk, code: int, refuses: str
) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(1)])
        disk.refuses, disk.code, disk.takes_first = refuses, code, 40
        for _ in range(2):
            with pytest.raises(RecordError, match=os.strerror(code).lower()) as refused:
                await record.write([_note(2), _note(3)])
        assert "does not happen until then" in refused.value.remedy
        disk.refuses = ""
        await record.write([_note(4)])
    assert _abouts(tmp_path) == ["apps/entry-1", "apps/entry-4"]
    (resumed,) = [one for one in _records(tmp_path) if one.kind == Kind.RESUMED]
    assert resumed.details["calls"] == 2
    assert os.strerror(code).lower() in str(resumed.details["reason"])


async def test_a_new_file_that_cannot_be_written_is_not_there(tmp_path: Path, disk: _Disk) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        disk.refuses, disk.takes_first = "write", 40
        with pytest.raises(RecordError):
            await record.write([_note(1)])
        assert segment_files(record.folder) == []
        disk.refuses = ""
        await record.write([_note(2)])
    assert _abouts(tmp_path) == ["apps/entry-2"]


async def test_a_place_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("a file")
    with pytest.raises(RecordError, match="nothing can be recorded in"):
        async with RecordKeeper(tmp_path / "record", "agent"):
            pass


@pytest.mark.parametrize("torn", [1, 30, 200])
async def test_a_line_that_a_crash_cut_is_found_kept_and_said(tmp_path: Path, torn: int) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(1), _note(2)])
        folder = record.folder
    (file,) = segment_files(folder)
    whole = file.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    file.write_bytes(whole[: last + torn])
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(3)])
    assert _abouts(tmp_path) == ["apps/entry-1", "apps/entry-3"]
    (said,) = [one for one in _records(tmp_path) if one.kind == Kind.TORN]
    assert (said.details["bytes"], said.details["after"]) == (torn, 2)
    assert (folder / str(said.details["kept"])).read_bytes() == whole[last : last + torn]


@pytest.mark.parametrize("rest", [b"\0" * 5000, b"\0" * 300 + b"\n", b'{"about":"x"}\nhalf'])
async def test_rubbish_behind_the_last_record_is_cut_off_and_said(
    tmp_path: Path, rest: bytes
) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(1)])
        (file,) = segment_files(record.folder)
    with file.open("ab") as opened:
        opened.write(rest)
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(2)])
    assert [one.kind for one in _records(tmp_path)] == ["segment", "read", "torn", "read"]


@pytest.mark.parametrize("left", [b"", b'{"about"'])
async def test_a_file_that_a_crash_left_without_a_record_is_begun_anew(
    tmp_path: Path, left: bytes
) -> None:
    async with RecordKeeper(tmp_path, "agent", bounds=Bounds(segment=600)) as record:
        await record.write([_note(1)])
        folder = record.folder
    (folder / "000000000003.jsonl").write_bytes(left)
    async with RecordKeeper(tmp_path, "agent", bounds=Bounds(segment=600)) as record:
        await record.write([_note(2)])
    kinds = [one.kind for one in _records(tmp_path)]
    assert kinds[:2] == ["segment", "read"]
    assert kinds[-1] == "read"
    assert ("torn" in kinds) == bool(left)


async def test_a_full_file_is_followed_by_one_that_names_its_last_hash(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "agent", bounds=Bounds(segment=2000)) as record:
        for number in range(20):
            await record.write([_note(number)])
        files = segment_files(record.folder)
    assert len(files) > 3
    records = _records(tmp_path)
    assert _abouts(tmp_path) == [f"apps/entry-{number}" for number in range(20)]
    for file in files[1:]:
        first = parse(file.read_bytes().partition(b"\n")[0])
        assert (first.kind, first.seq) == ("segment", int(file.stem))
        assert first.details["head"] == records[first.seq - 2].hash


async def test_a_file_that_somebody_else_wrote_to_is_not_written_on(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(1)])
        (file,) = segment_files(record.folder)
        whole = file.read_bytes()
        file.write_bytes(whole[:-10])
        with pytest.raises(RecordError, match="somebody else changed it"):
            await record.write([_note(2)])
        file.unlink()
        with pytest.raises(RecordError, match="somebody removed it"):
            await record.write([_note(3)])


async def test_a_folder_under_another_name_is_refused(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(1)])
        folder = record.folder
    folder.rename(folder.with_name("agent-0123456789ab"))
    with pytest.raises(RecordError, match="is of another writer"):
        async with RecordKeeper(tmp_path, "agent"):
            pass


async def test_a_disk_that_does_not_answer_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "WAIT_SECONDS", 0.05)
    async with RecordKeeper(tmp_path, "agent") as record:
        going = asyncio.Event()
        loop = asyncio.get_running_loop()
        flush = os.fdatasync

        def slow(handle: int) -> None:
            asyncio.run_coroutine_threadsafe(going.wait(), loop).result()
            flush(handle)

        monkeypatch.setattr(os, "fdatasync", slow)
        with pytest.raises(RecordError, match="was not written within"):
            await record.write([_note(1)])
        going.set()


async def test_a_call_that_was_given_up_before_its_turn_is_not_recorded(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        given_up = asyncio.create_task(record.write([_note(1)]))
        await asyncio.sleep(0)
        given_up.cancel()
        await record.write([_note(2)])
    assert _abouts(tmp_path) == ["apps/entry-2"]


async def test_a_note_that_cannot_be_written_spoils_nobody_elses(tmp_path: Path) -> None:
    bad = Note(Kind.READ, "x", {"not a name": "x"})
    async with RecordKeeper(tmp_path, "agent") as record:
        answers = await asyncio.gather(
            record.write([bad]), record.write([_note(2)]), return_exceptions=True
        )
        await record.write([_note(3)])
    assert isinstance(answers[0], BugError)
    assert answers[1] is None
    assert _abouts(tmp_path) == ["apps/entry-2", "apps/entry-3"]


async def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    async with RecordKeeper(tmp_path, "agent") as record:
        await record.write([_note(1)])
    with pytest.raises(RecordError, match="is closed"):
        await record.write([_note(2)])
