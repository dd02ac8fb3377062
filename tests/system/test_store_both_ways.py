"""Every kind of entry, through flux-secret, the real gopass and pass, one after the other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, OTHER = "me@example.org", "other@example.org"
KINDS = {
    "plain": b"secret\n",
    "lines": b"secret\nuser: joe\nbody\n\nmore\n",
    "yaml": b"secret\n---\nuser: joe # who\nport: 5432\n",
    "odd": b"\xff\x00\xfe secret\nuser: joe\n\x80\n",
    "long": b"x" * 70_000 + b"\nuser: joe\n",
    "unicode": "pässwörd\nuser: jürg\n".encode(),
}
BINARY = bytes(range(256))


@pytest.fixture
def me(tmp_path: Path, gopass: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, OTHER], gopass=gopass) as made:
        made.env.update({"GOPASS_HOMEDIR": str(made.home), "PASSWORD_STORE_DIR": ""})
        made.flux("store", "init", ME)
        made.flux("store", "init", "--mount", "team/apps", ME)
        yield made


def readers(one: Person, file: Path) -> int:
    packets = one.gnupg.gpg("--list-packets", str(file)).decode()
    return packets.count(":pubkey enc packet:")


def test_what_we_write_both_read_list_edit_and_encrypt_anew(me: Person) -> None:
    for name, text in KINDS.items():
        me.flux("store", "insert", f"kind/{name}", stdin=text)
    listed = [f"kind/{name}" for name in sorted(KINDS)]
    assert me.gopasses("ls", "--flat").out.decode().split() == listed
    for name, text in KINDS.items():
        assert me.passes("show", f"kind/{name}").out == text
        assert me.gopasses("show", "-n", f"kind/{name}").out == text
        # through a pipe gopass takes a value with its line break
        me.gopasses("insert", "-f", f"kind/{name}", "token", stdin=b"abc")
        assert me.flux("store", "show", f"kind/{name}", "token").out.strip() == b"abc"
    me.passes("init", "-p", "kind", ME, OTHER)
    me.passes("mv", "kind/plain", "moved")
    assert me.flux("store", "show", "-o", "moved").out == b"secret"
    assert readers(me, me.store / "kind/lines.gpg") == 2
    me.flux("recipients", "update")  # pass exports no keys
    assert me.flux("store", "check").code == 0
    assert me.gopasses("fsck").code == 0


def test_what_both_write_we_read_list_edit_and_encrypt_anew(me: Person) -> None:
    for name, text in KINDS.items():
        me.passes("insert", "-m", f"kind/{name}", stdin=text)
        assert me.flux("store", "show", f"kind/{name}").out.strip(b"\n") == (
            me.gopasses("show", f"kind/{name}").out.strip(b"\n")
        )
        me.flux("store", "insert", f"kind/{name}", "token", stdin=b"abc")
        assert me.gopasses("show", f"kind/{name}", "token").out == b"abc"
        assert me.passes("show", f"kind/{name}").out.startswith(text.partition(b"\n")[0])
    me.gopasses("insert", "-f", "team/apps/db", stdin=b"pw\nuser: joe\n")
    assert me.flux("store", "show", "team/apps/db", "user").out == b"joe"
    names = json.loads(me.flux("store", "ls", "--json").out)
    assert names == sorted([f"kind/{name}" for name in KINDS] + ["team/apps/db"])
    me.flux("recipients", "add", OTHER, "--folder", "kind", "--yes")
    assert {readers(me, me.store / f"kind/{name}.gpg") for name in KINDS} == {2}
    assert me.gopasses("show", "-o", "kind/plain").out == b"secret"
    me.flux("store", "mv", "kind/plain", "team/apps/plain")
    assert me.gopasses("show", "-o", "team/apps/plain").out == b"secret"


def test_a_file_comes_through_both_byte_for_byte(me: Person) -> None:
    source, target = me.home / "in.bin", me.home / "out.bin"
    source.write_bytes(BINARY)
    me.gopasses("fscopy", str(source), "file")
    whole = me.flux("store", "show", "file").out
    me.flux("store", "insert", "copy", stdin=whole)
    me.gopasses("fscopy", "copy", str(target))
    assert target.read_bytes() == BINARY
    me.flux("store", "cp", "copy", "team/apps/copy")
    os.unlink(target)  # noqa: PTH108 -- gopass asks before it overwrites
    me.gopasses("fscopy", "team/apps/copy", str(target))
    assert target.read_bytes() == BINARY
