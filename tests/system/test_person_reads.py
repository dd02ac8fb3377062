"""What a person reads is on their record before gpg is asked: entry, store, blob and commit."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from simulators.person import Person, person

ME, OTHER = "me@example.org", "other@example.org"


@pytest.fixture
def me(tmp_path: Path) -> Iterator[Person]:
    with person(tmp_path / "me", [ME, OTHER]) as made:
        made.makes_store(ME)
        made.passes("insert", "-m", "web/db", stdin=b"first\nuser: joe\n")
        made.passes("insert", "-m", "web/api", stdin=b"token\n")
        made.passes("insert", "-f", "-m", "web/db", stdin=b"second\nuser: joe\n")
        yield made


Line = Mapping[str, object]


def recorded(one: Person, *words: str) -> list[tuple[str, str, Line]]:
    """Give kind, about and details of each line that `audit log` shows."""
    tree = json.loads(one.flux("audit", "log", "-o", "json", *words).out)
    return [(line["kind"], line["about"], line["details"]) for line in tree["records"]]


def read(one: Person, *words: str) -> list[tuple[str, object, object]]:
    """Do it; give entry, blob and commit of each line that says what it read."""
    before = len(recorded(one)) if (one.home / ".local/state/flux-secret/record").exists() else 0
    one.flux(*words, check=False)
    return [
        (about, details["blob"], details.get("commit"))
        for kind, about, details in recorded(one)[before:]
        if kind == "read" and details.get("blob")
    ]


def head(one: Person, *files: str, at: str = "HEAD") -> list[tuple[str, object, object]]:
    commit = one.git("rev-parse", at)
    return [(file, one.git("rev-parse", f"{at}:{file}.gpg"), commit) for file in files]


@pytest.mark.parametrize(
    "words",
    [
        ("store", "show", "web/db"),
        ("store", "show", "web/db", "user"),
        ("store", "show", "web/db", "--revision", "HEAD"),
        ("store", "insert", "web/db", "user"),
    ],
)
def test_the_blob_that_is_read_is_the_one_that_git_has(me: Person, words: tuple[str, ...]) -> None:
    wanted = head(me, "web/db")
    assert read(me, *words) == wanted
    ((_, about, details), *_) = [line for line in recorded(me) if "blob" in line[2]]
    assert about == "web/db"
    assert details["store"] == str(me.store)
    assert details["command"] == " ".join(words[:2])
    assert details["person"]


def test_an_older_version_is_named_by_its_own_blob_and_commit(me: Person) -> None:
    old = head(me, "web/db", at="HEAD~2")
    assert old[0][1] != head(me, "web/db")[0][1]
    assert read(me, "store", "show", "web/db", "-r", "HEAD~2") == old
    assert me.flux("store", "show", "web/db", "-o", "-r", str(old[0][2])).out == b"first"
    assert read(me, "store", "show", "web/api", "-r", "HEAD~2") == []
    kind, about, details = recorded(me)[-2]
    assert (kind, about, details.get("blob")) == ("read", "web/api", None)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("web/db", "-r", "nothing"), 2, "git knows no commit 'nothing'"),
        (("web/db", "-r", "-1"), 2, "does not name a commit"),
        (("web/db", "-r", "--all"), 2, "does not name a commit"),
        (("web/db", "-r", "HEAD:web"), 2, "git knows no commit"),
        (("web/no", "-r", "HEAD"), 4, "there was no entry web/no in commit"),
    ],
)
def test_a_revision_that_is_none(me: Person, words: tuple[str, ...], code: int, said: str) -> None:
    done = me.flux("store", "show", *words, check=False)
    assert (done.code, said in done.err) == (code, True), done.err


def test_what_is_not_committed_has_the_blob_that_git_would_give_it_and_no_commit(
    me: Person,
) -> None:
    file = me.store / "web/db.gpg"
    file.write_bytes(me.gnupg.encrypt(b"third\n", [ME]))
    blob = me.git("hash-object", "web/db.gpg")
    assert read(me, "store", "show", "web/db") == [("web/db", blob, None)]
    me.git("commit", "-qam", "third")
    assert read(me, "store", "show", "web/db") == [("web/db", blob, me.git("rev-parse", "HEAD"))]
    shutil.rmtree(me.store / ".git")
    assert read(me, "store", "show", "web/db") == [("web/db", blob, None)]
    assert me.flux("store", "show", "web/db", "-r", "HEAD", check=False).code == 3


def test_a_damaged_repository_keeps_nobody_from_reading(me: Person) -> None:
    ((_, blob, _),) = head(me, "web/db")
    folder = me.git("rev-parse", "HEAD:web")
    (me.store / ".git/objects" / folder[:2] / folder[2:]).unlink()
    assert read(me, "store", "show", "web/db") == [("web/db", blob, None)]
    shutil.rmtree(me.store / ".git/objects")
    (me.store / ".git/objects").mkdir()
    assert read(me, "store", "show", "web/db") == [("web/db", blob, None)]
    done = me.flux("store", "show", "web/db", "-r", "HEAD", check=False)
    assert (done.code, done.out) in {(2, b""), (5, b"")}


@pytest.mark.parametrize("typed", ["web/d", "web", "nothing/at/all"])
def test_what_is_no_entry_is_recorded_as_it_was_typed(me: Person, typed: str) -> None:
    assert read(me, "store", "show", typed) == []
    (asked, ended) = recorded(me)[-2:]
    assert asked[:2] == ("read", typed)
    assert ended[2]["error"] == "EntryNotFound"


def test_every_entry_that_a_search_reads_is_found_by_its_name(me: Person) -> None:
    wanted = head(me, "web/api", "web/db")
    assert read(me, "store", "grep", "nothing") == wanted
    assert read(me, "store", "check", "--decrypt") == wanted
    assert read(me, "store", "grep", "-i", "nothing", "web/d") == []
    found = recorded(me, "--entry", "web/api")
    assert [details["command"] for _, _, details in found] == ["store grep", "store check"]
    first, *_ = recorded(me)
    assert (first[0], first[1], first[2]["command"]) == ("read", "all", "store grep")


def test_a_link_is_recorded_by_the_name_that_was_asked_for(me: Person) -> None:
    (me.store / "web/link.gpg").symlink_to("db.gpg")
    me.git("add", "-A")
    me.git("commit", "-qm", "link")
    ((_, blob, commit),) = head(me, "web/db")
    assert read(me, "store", "show", "web/link") == [("web/link", blob, commit)]


def test_all_versions_that_are_read_of_an_entry_are_one_line(me: Person) -> None:
    ((_, new, now), (_, old, then)) = (*head(me, "web/db"), *head(me, "web/db", at="HEAD~2"))
    for words in (("store", "history", "-p", "web/db"), ("store", "history", "--all", "web/db")):
        assert read(me, *words) == []
        kind, about, details = recorded(me)[-1]
        assert (kind, about, details["versions"]) == ("read", "web/db", 2)
        assert details["blobs"] == [new, old]
        assert details["commits"] == [now, then]
    told = json.loads(me.flux("store", "history", "--all", "web/db", "-o", "json").out)
    mine = [one["details"] for one in told["moments"] if one["source"] == "record"]
    assert [one["blobs"] for one in mine] == [[new, old]] * 3
    assert read(me, "store", "history", "web/db") == []
    assert len(recorded(me)) == len(mine), "a list of commits decrypts nothing"


def test_an_age_reads_each_version_once_for_all_times(me: Person) -> None:
    api = me.git("rev-parse", "HEAD:web/api.gpg")
    assert [one[:2] for one in read(me, "age")] == [("web/api", api)]
    assert recorded(me)[-1][2]["versions"] == 2
    me.flux("age")
    assert recorded(me)[-1][:2] == ("read", "all"), "it was asked, and nothing was decrypted"
    me.flux("store", "mv", "web/db", "web/postgres")
    me.flux("offboard", ME, "--no-cluster", check=False)
    assert [line[1] for line in recorded(me)[-2:]] == ["all", "offboard"]
    for words, entries in (
        (("offboard", ME, "--no-cluster"), ["web/api", "web/db", "web/postgres"]),
        (("age",), ["web/api", "web/db", "web/postgres"]),
    ):
        me.env["XDG_CACHE_HOME"] = str(me.home / words[0])  # nothing is remembered there
        before = len(recorded(me))
        me.flux(*words, check=False)
        lines = [about for _, about, details in recorded(me)[before:] if details.get("store")]
        assert lines == entries, "each version under the newest name that it had"


def test_a_copy_is_found_by_either_name(me: Person) -> None:
    me.flux("store", "cp", "web/api", "web/copy")
    me.flux("age")
    for name in ("web/api", "web/copy"):
        found = recorded(me, "--entry", name, "--kind", "read")
        assert [details["blob"] for _, _, details in found] == [
            me.git("rev-parse", f"HEAD:{name}.gpg")
        ]


def test_what_is_decrypted_to_be_encrypted_anew_is_on_the_record(me: Person) -> None:
    wanted = head(me, "web/api", "web/db")
    assert read(me, "recipients", "add", OTHER, "--yes") == wanted
    assert {line[0] for line in recorded(me)} == {"recipients", "read"}


@pytest.fixture
def watched(me: Person, tmp_path: Path) -> Path:
    """Keep what is on the record whenever gpg is asked to decrypt."""
    seen, tools = tmp_path / "seen", tmp_path / "tools"
    tools.mkdir()
    gpg = tools / "gpg"
    gpg.write_text(
        '#!/bin/sh\ncase " $* " in *" --decrypt"*) '
        f'cat "$HOME"/.local/state/flux-secret/record/*/*.jsonl >> {seen} 2>&1;; esac\n'
        f'exec {shutil.which("gpg")} "$@"\n'
    )
    gpg.chmod(0o700)
    me.env["PATH"] = f"{tools}:{os.environ['PATH']}"
    me.env["HOME"] = str(me.home)
    return seen


@pytest.mark.parametrize(
    "words",
    [
        ("store", "show", "web/db"),
        ("store", "otp", "web/db"),
        ("store", "grep", "x"),
        ("store", "check", "--decrypt"),
        ("store", "history", "-p", "web/db"),
        ("age",),
        ("offboard", ME, "--no-cluster"),
    ],
)
def test_it_is_on_the_disk_when_gpg_is_asked_and_gpg_is_not_without_it(
    me: Person, watched: Path, words: tuple[str, ...]
) -> None:
    me.flux(*words, check=False)
    blob = me.git("rev-parse", "HEAD:web/db.gpg")
    assert blob in watched.read_text()
    watched.unlink()
    (me.home / "file").touch()
    me.env["FLUX_SECRET_RECORD_DIR"] = str(me.home / "file/record")
    me.env["XDG_CACHE_HOME"] = str(me.home / "elsewhere")
    done = me.flux(*words, check=False)
    assert (done.code, done.out) == (5, b"")
    assert f"in an emergency: flux-secret --no-record {words[0]} " in done.err
    assert not watched.exists()
    assert "second" not in done.err
    me.flux("--no-record", *words, check=False)
    assert watched.exists()


@pytest.fixture
def mounted(tmp_path: Path, gopass: Path) -> Iterator[Person]:
    """Somebody whom the real gopass made a root store and one that is mounted."""
    with person(tmp_path / "me", [ME], gopass=gopass) as made:
        made.env.update(GOPASS_HOMEDIR=str(made.home), PASSWORD_STORE_DIR="")
        for words in ((), ("--store", "team")):
            made.gopasses("--yes", "init", *words, "--crypto", "gpgcli", "--storage", "gitfs", ME)
        made.gopasses("insert", "-f", "team/demo/db", stdin=b"pw\n")
        made.gopasses("insert", "-f", "own", stdin=b"mine\n")
        yield made


def test_a_mounted_store_is_named_by_its_mount_as_gopass_names_it(mounted: Person) -> None:
    stores = {
        name: Path(mounted.gopasses("config", key).out.decode().strip())
        for name, key in (("", "mounts.path"), ("team", "mounts.team.path"))
    }
    for entry, mount, file in (("team/demo/db", "team", "demo/db"), ("own", "", "own")):
        git = ("git", "-C", stores[mount], "rev-parse")
        blob = mounted.run(*git, f"HEAD:{file}.gpg").out.decode().strip()
        commit = mounted.run(*git, "HEAD").out.decode().strip()
        assert read(mounted, "store", "show", entry) == [(entry, blob, commit)]
        assert recorded(mounted)[-1][2]["store"] == (mount or str(stores[""]))


def test_a_key_that_cannot_sign_the_record_is_said_in_a_persons_words(
    me: Person, watched: Path
) -> None:
    watched.unlink(missing_ok=True)
    me.env["FLUX_SECRET_RECORD_SIGNING_KEY"] = "0x1234"
    done = me.flux("store", "show", "web/db", check=False)
    assert (done.code, done.out) == (4, b"")
    assert "gpg cannot sign the record with the key '0x1234'" in done.err
    assert "FLUX_SECRET_RECORD_SIGNING_KEY" in done.err
    assert "flux-secret --no-record store show" in done.err
    assert "--git-gpg-key-import" not in done.err
    assert not watched.exists()
