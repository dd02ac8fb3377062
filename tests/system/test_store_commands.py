"""What a person does with a store's entries: pass sees the same, git has one commit of each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, OTHER = "me@example.org", "other@example.org"
ENTRY = b"pw\nuser: joe\n"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, OTHER]) as made:
        made.makes_store(ME)
        for name in ("web/a", "web/b", "mail"):
            made.passes("insert", "-m", name, stdin=ENTRY + name.encode() + b"\n")
        yield made


def flat(one: Person) -> list[str]:
    return one.flux("store", "ls", "--flat").out.decode().split()


def count(one: Person) -> int:
    return int(one.git("rev-list", "--count", "HEAD"))


def readers(one: Person, name: str) -> int:
    packets = one.gnupg.gpg("--list-packets", str(one.store / f"{name}.gpg")).decode()
    return packets.count(":pubkey enc packet:")


def test_names_are_listed_as_a_tree_as_lines_and_as_json(me: Person) -> None:
    assert me.flux("store", "ls").out.decode().splitlines()[1:] == [
        "├── mail",
        "└── web/",
        "    ├── a",
        "    └── b",
    ]
    assert me.flux("store", "ls", "--flat", "web").out == b"web/a\nweb/b\n"
    assert json.loads(me.flux("store", "ls", "--json").out) == ["mail", "web/a", "web/b"]
    assert me.flux("store", "ls", "nothing", check=False).code == 4


def test_one_key_is_set_and_every_other_byte_stays(me: Person) -> None:
    odd = b"pw\r\nuser: a\n\xff\x00 body\n  user : b\nlast"
    me.flux("store", "insert", "odd", stdin=odd)
    me.flux("store", "insert", "odd", "user", stdin=b"joe\n")
    assert me.can_read("odd") == odd.replace(b"user: a", b"user: joe")
    me.flux("store", "insert", "odd", "url=https://x/?a=b", "mail=a@b")
    assert me.can_read("odd").endswith(b"last\nurl: https://x/?a=b\nmail: a@b\n")
    assert me.git("log", "-1", "--format=%s") == "Set url, mail of odd"
    me.flux("store", "insert", "--append", "odd", stdin=b"more\n")
    assert me.can_read("odd").endswith(b"mail: a@b\nmore\n")


def test_a_key_makes_an_entry_that_is_not_there_yet(me: Person) -> None:
    me.flux("store", "insert", "new", "user=joe")
    assert me.passes("show", "new").out == b"\nuser: joe\n"


def test_a_password_is_drawn_and_everything_else_stays(me: Person) -> None:
    done = me.flux("store", "generate", "-fp", "mail", "30")
    drawn = done.out.decode().strip()
    assert (len(drawn), "179 bits" in done.err) == (30, True), done.err
    assert me.passes("show", "mail").out == drawn.encode() + b"\nuser: joe\nmail\n"
    words = me.flux("store", "generate", "-p", "--xkcd", "--separator=-", "new", "5").out
    assert words.count(b"-") >= 4
    assert me.flux("store", "generate", "new", "token", check=False).code == 2
    me.flux("store", "generate", "-f", "new", "token", "--alphabet=ab", "64")
    assert set(me.flux("store", "show", "new", "token").out) == set(b"ab")


def test_a_one_time_password_is_given_and_a_counter_raised(me: Person) -> None:
    me.flux("store", "insert", "totp", stdin=b"x\ntotp: GEZDGNBVGY3TQOJQ\n")
    assert me.flux("store", "otp", "totp").out.strip().isdigit()
    me.flux("store", "insert", "hotp", stdin=b"x\nhotp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n")
    # RFC 4226 appendix D, counters 1 and 2
    assert me.flux("store", "otp", "hotp").out == b"287082\n"
    assert me.flux("store", "otp", "hotp").out == b"359152\n"
    assert me.git("log", "-1", "--format=%s") == "Raise the counter of hotp"


def test_an_entry_is_moved_with_the_bytes_it_has(me: Person) -> None:
    before, commits = (me.store / "mail.gpg").read_bytes(), count(me)
    me.flux("store", "mv", "mail", "web/")
    assert (me.store / "web/mail.gpg").read_bytes() == before
    assert flat(me) == ["web/a", "web/b", "web/mail"]
    assert (count(me), me.git("status", "--porcelain")) == (commits + 1, "")


def test_a_folder_is_moved_and_copied_with_all_in_it(me: Person) -> None:
    me.flux("store", "cp", "web", "copy")
    assert flat(me) == ["copy/a", "copy/b", "mail", "web/a", "web/b"]
    me.flux("store", "mv", "web", "copy/")
    assert flat(me) == ["copy/a", "copy/b", "copy/web/a", "copy/web/b", "mail"]
    assert not (me.store / "web").exists()
    assert me.passes("show", "copy/web/a").out == ENTRY + b"web/a\n"


def test_what_moves_under_other_recipients_is_encrypted_to_them(me: Person) -> None:
    me.passes("init", "-p", "shared", ME, OTHER)
    me.flux("store", "mv", "mail", "shared/mail")
    me.flux("store", "cp", "web", "shared/")
    assert [readers(me, f"shared/{name}") for name in ("mail", "web/a", "web/b")] == [2, 2, 2]
    me.flux("store", "mv", "shared/mail", "mail")
    assert readers(me, "mail") == 1


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("mv", "mail", "web/a"), 2, "web/a is there already"),
        (("mv", "nothing", "x"), 4, "there is no entry and no folder nothing"),
        (("mv", "web", "web/inner/"), 2, "cannot go into itself"),
        (("cp", "mail", "MAIL"), 2, "looks like"),
        (("rm", "web", "-f"), 2, "web is a folder"),
        (("rm", "nothing", "-f"), 4, "there is no entry nothing"),
        (("rm", "mail"), 2, "There is no terminal to ask on"),
        (("show", "mial"), 4, "did you mean mail?"),
        (("shwo", "mail"), 2, "Did you mean show?"),
        (("generate", "mail"), 2, "there is an entry mail already"),
        (("generate", "x", "4"), 2, "bits"),
        (("edit", "../x"), 2, "is not an entry name"),
        (("grep", "(", "--regexp"), 2, "is no regular expression"),
        (("history", "nothing"), 4, "git knows no entry nothing"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    me: Person, words: tuple[str, ...], code: int, reason: str
) -> None:
    commits = count(me)
    done = me.flux("store", *words, check=False)
    assert (done.code, reason in done.err) == (code, True), done.err
    assert (count(me), me.git("status", "--porcelain")) == (commits, "")


def test_entries_are_taken_away_in_one_commit(me: Person) -> None:
    commits = count(me)
    me.flux("store", "rm", "-rf", "web")
    assert (flat(me), count(me)) == (["mail"], commits + 1)


def test_grep_names_entries_and_shows_lines_to_a_pipe_only(me: Person) -> None:
    assert me.flux("store", "grep", "web/").out == b"web/a\nweb/b\n"
    assert me.flux("store", "grep", "--lines", "USER", "web", "-i").out.count(b"user: joe") == 2
    assert me.flux("store", "grep", "nobody says that", check=False).code == 1


def test_grep_says_which_entries_it_cannot_read(me: Person) -> None:
    (me.store / "web/a.gpg").write_bytes(b"damaged")
    done = me.flux("store", "grep", "joe", check=False)
    assert (done.code, "web/a: " in done.err, b"web/b" in done.out) == (4, True, True)


def test_history_follows_an_entry_across_its_names(me: Person) -> None:
    me.flux("store", "insert", "-f", "mail", stdin=b"second\n")
    me.flux("store", "mv", "mail", "post")
    changes = json.loads(me.flux("store", "history", "--json", "post").out)
    assert [change["subject"] for change in changes] == [
        "Move mail to post",
        "Overwrite mail",
        "Add given password for mail to store.",
    ]
    shown = me.flux("store", "history", "-p", "post").out.decode().splitlines()
    assert [line.rpartition(" - ")[2] for line in shown] == ["second", "second", "pw"]


def editor(one: Person, script: str) -> None:
    file = one.home / "editor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    one.env["EDITOR"] = str(file)


def test_an_entry_is_edited_in_memory_and_nothing_is_left(me: Person) -> None:
    editor(me, 'echo "$1" > where; stat -f -c %T "$1" > kind; echo "more: x" >> "$1"')
    me.flux("store", "edit", "mail")
    assert me.passes("show", "mail").out == ENTRY + b"mail\nmore: x\n"
    assert (me.home / "kind").read_text().strip() in {"tmpfs", "ramfs"}
    assert not Path((me.home / "where").read_text().strip()).parent.exists()


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [("true", 0, "not changed"), ("exit 3", 3, "ended with 3"), (': > "$1"', 4, "become empty")],
)
def test_an_edit_that_is_none_changes_nothing(
    me: Person, script: str, code: int, said: str
) -> None:
    commits = count(me)
    editor(me, script)
    done = me.flux("store", "edit", "mail", check=False)
    assert (done.code, said in done.err + done.out.decode()) == (code, True), done.err
    assert count(me) == commits


def test_an_edit_is_refused_before_the_person_has_typed(me: Person) -> None:
    (me.store / ".gpg-id").write_text("nobody@example.org\n")
    editor(me, "touch typed")
    assert me.flux("store", "edit", "mail", check=False).code == 4
    assert not (me.home / "typed").exists()


def test_what_somebody_else_changed_while_a_person_typed_is_kept(me: Person) -> None:
    known = f"GNUPGHOME={me.gnupg.path} PASSWORD_STORE_DIR={me.store}"  # an editor gets neither
    flux = f"{known} {sys.executable} -m flux_secret store insert -f mail"
    editor(
        me,
        f"printf 'other\\nuser: joe\\nmail\\n' | env {flux} >/dev/null || exit 9\n"
        'sed -i s/joe/me/ "$1"',
    )
    me.flux("store", "edit", "mail")
    assert me.passes("show", "mail").out == b"other\nuser: me\nmail\n"
    editor(me, f"printf 'theirs\\n' | env {flux} >/dev/null || exit 9; echo mine > \"$1\"")
    done = me.flux("store", "edit", "mail", check=False)
    assert (done.code, "compare the two" in done.err) == (1, True), done.err
    assert me.passes("show", "mail").out == b"theirs\n"
    assert me.passes("show", "mail.ours-1").out == b"mine\n"


def test_a_kill_while_a_person_types_leaves_no_plaintext(me: Person) -> None:
    editor(me, 'echo "$1" > where.new; mv where.new where; exec sleep 60')
    child = subprocess.Popen(
        [sys.executable, "-m", "flux_secret", "store", "edit", "mail"],
        env=me.environment, cwd=me.home, start_new_session=True,
    )  # fmt: skip
    try:
        where = me.home / "where"
        deadline = time.monotonic() + 60
        while not where.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        place = Path(where.read_text().strip()).parent
        assert place.is_dir()
        os.kill(child.pid, signal.SIGKILL)
        child.wait(timeout=30)
        while place.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not place.exists()
    finally:
        os.killpg(child.pid, signal.SIGKILL)


def test_who_has_no_store_is_told_how_to_get_one(tmp_path: Path) -> None:
    with person(tmp_path / "me") as nobody:
        done = nobody.flux("store", "ls", check=False)
        assert (done.code, "flux-secret store init" in done.err) == (3, True), done.err


def test_a_file_name_that_is_no_text_keeps_no_entry_from_being_found(me: Person) -> None:
    odd = me.store / os.fsdecode(b"odd\xff.gpg")
    odd.write_bytes((me.store / "mail.gpg").read_bytes())
    me.git("add", "-A")
    me.git("commit", "-qm", "by another program")
    assert b"web/b\n" in me.flux("store", "grep", "web/b").out
    assert rb"odd\udcff" in me.flux("store", "ls", "--flat").out
    assert b"cannot be the name of an entry" in me.flux("store", "check", check=False).out
    me.flux("recipients", "add", OTHER, "--yes")
    packets = me.gnupg.gpg("--list-packets", "--list-only", stdin=odd.read_bytes()).decode()
    assert packets.count(":pubkey enc packet:") == 2
