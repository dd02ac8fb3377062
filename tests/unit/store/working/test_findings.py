"""Facts of a store → what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flux_secret.model.finding import Level
from flux_secret.store.interface import Export, Form, Newer, Reader
from flux_secret.store.working.audience import Verdict
from flux_secret.store.working.exports import Kept
from flux_secret.store.working.facts import EntryFact, Facts, GitFact, RecipientsFact
from flux_secret.store.working.findings import ABOUT_RECIPIENTS, AHEAD_SECONDS, findings
from flux_secret.store.working.past import Past

NOW = 1_800_000_000
ANN = Reader("0xA", "0xA Ann", frozenset({"A2"}), fingerprint="FFA")
ROOT = RecipientsFact("", ".gpg-id", (ANN,), ("0xA",), b"0xA\n")
ONE = EntryFact("one", "one.gpg", "one.gpg", ".gpg-id")
FACTS = Facts(now=NOW, root="/s", entries=[ONE], recipients=[ROOT])
HIDDEN = Verdict(hidden=1)


def root(**changes: Any) -> list[RecipientsFact]:  # noqa: ANN401 -- any field
    return [replace(ROOT, **changes)]


def entry(**changes: Any) -> list[EntryFact]:  # noqa: ANN401 -- any field
    return [replace(ONE, **changes)]


def kept(newer: Newer, *, stored: bytes | None = b"old", ours: bytes | None = b"new") -> list[Kept]:
    return [Kept(ANN, ".public-keys/0xA", stored, Export(newer, ours))]


def test_a_store_without_a_flaw_has_no_finding() -> None:
    assert findings(FACTS) == []
    files = [".gitattributes", ".gpg-id", "a/.gpg-id", "a/.pass-template", ".public-keys/0xA",
             ".gopass/create/x.yml", "config", "README.md", ".gitignore"]  # fmt: skip
    assert findings(replace(FACTS, files=files)) == []


@pytest.mark.parametrize(
    ("changes", "level", "kind", "place"),
    [
        ({"git": None}, "warning", "no-history", "the root store"),
        ({"git": GitFact(unfinished="a merge")}, "error", "unfinished", "the root store"),
        ({"git": GitFact(interrupted=True)}, "warning", "interrupted", "the root store"),
        ({"git": GitFact(is_linked=True)}, "warning", "linked-git", ".git"),
        ({"git": GitFact(uncommitted=("a.gpg",))}, "warning", "uncommitted", "a.gpg"),
        ({"config": {"core.autopush": "false"}}, "warning", "config", "config"),
        ({"config": {"core.readonly": "True"}}, "warning", "config", "config"),
        (
            {"recipients": root(problem=".gpg-id names nobody")},
            "error",
            "recipients-file",
            ".gpg-id",
        ),
        ({"recipients": root(text=b"0xA\r\n")}, "warning", "carriage-returns", ".gpg-id"),
        ({"recipients": root(ids=("x",) * 10_001)}, "error", "many-recipients", ".gpg-id"),
        (
            {"recipients": root(readers=(replace(ANN, problem="is revoked"),))},
            "error",
            "key-unusable",
            ".gpg-id: 0xA Ann",
        ),
        (
            {"recipients": root(readers=(replace(ANN, expires=NOW + AHEAD_SECONDS - 1),))},
            "warning",
            "key-expires",
            ".gpg-id: 0xA Ann",
        ),
        (
            {"recipients": root(readers=(ANN, replace(ANN, id="0xFFA")))},
            "warning",
            "key-twice",
            ".gpg-id",
        ),
        ({"weak": {"0xA": "is bound with SHA-1"}}, "warning", "key-weak", ".gpg-id: 0xA Ann"),
        (
            {"entries": entry(problem="is a link that leads nowhere")},
            "error",
            "unreadable",
            "one.gpg",
        ),
        ({"entries": entry(form=Form.OTHER)}, "error", "plaintext", "one.gpg"),
        ({"entries": entry(form=Form.ARMORED)}, "warning", "armored", "one.gpg"),
        ({"entries": entry(form=Form.TOO_NEW)}, "warning", "too-new", "one.gpg"),
        ({"entries": entry(verdict=Verdict(missing=(ANN,)))}, "error", "readers", "one"),
        ({"entries": entry(verdict=Verdict(extra=("FF",)))}, "error", "readers", "one"),
        ({"entries": entry(verdict=Verdict(hidden=1, surplus=-1))}, "error", "readers", "one"),
        ({"entries": entry(verdict=Verdict(outdated=(ANN,)))}, "warning", "older-subkey", "one"),
        ({"entries": entry(verdict=HIDDEN)}, "ok", "unverifiable", "one"),
        ({"entries": entry(verdict=HIDDEN, past=Past.UNKNOWN)}, "warning", "unverifiable", "one"),
        ({"entries": entry(verdict=HIDDEN, past=Past.OTHERS)}, "error", "past-readers", "one"),
        (
            {"recipients": [ROOT, replace(ROOT, folder="one", file="one/.gpg-id")]},
            "error",
            "lookup",
            "one",
        ),
        (
            {
                "recipients": [ROOT, replace(ROOT, folder="a", file="a/.gpg-id")],
                "entries": entry(name="a/l", file="a/l.gpg"),
            },
            "warning",
            "link-readers",
            "a/l",
        ),
        (
            {"entries": [ONE, replace(ONE, name="One", file="One.gpg", target="One.gpg")]},
            "warning",
            "twins",
            "one",
        ),
        (
            {
                "entries": [
                    ONE,
                    replace(ONE, name="\uff2fne", file="\uff2fne.gpg", target="\uff2fne.gpg"),
                ]
            },
            "warning",
            "twins",
            "one",
        ),
        (
            {"entries": entry(name="-rf", file="-rf.gpg", target="-rf.gpg")},
            "warning",
            "name",
            "-rf",
        ),
        (
            {"exports": kept(Newer.OURS, stored=None)},
            "warning",
            "export-missing",
            ".public-keys/0xA",
        ),
        (
            {"exports": kept(Newer.OURS), "exported": {".public-keys/0xA": ("FA",)}},
            "warning",
            "export-older",
            ".public-keys/0xA",
        ),
        (
            {"exports": kept(Newer.OURS), "exported": {".public-keys/0xA": ("EE",)}},
            "error",
            "export-wrong",
            ".public-keys/0xA",
        ),
        ({"exports": kept(Newer.STORES)}, "warning", "export-newer", ".public-keys/0xA"),
        (
            {"exported": {".public-keys/0xZ": ("Z",)}},
            "warning",
            "export-of-nobody",
            ".public-keys/0xZ",
        ),
        ({"files": ["notes.txt"]}, "error", "plaintext", "notes.txt"),
        ({"files": ["a/config"]}, "error", "plaintext", "a/config"),
        ({"files": [".hidden/x.gpg"]}, "warning", "hidden", ".hidden/x.gpg"),
        ({"files": ["x.age"]}, "warning", "other-kind", "x.age"),
        ({"files": ["a/.db.gpg.k3_x9aa0"]}, "warning", "left-over", "a/.db.gpg.k3_x9aa0"),
        ({"open_files": ["", "a.gpg"]}, "warning", "open-files", "the root store"),
        ({"undecrypted": {"one": "damaged"}}, "error", "undecrypted", "one"),
        (
            {
                "pins_recipients": True,
                "recipients": [ROOT, replace(ROOT, folder="b", file="b/.gpg-id")],
            },
            "warning",
            "pinned",
            "the root store",
        ),
    ],
)
def test_each_flaw_is_found_where_it_is_with_a_remedy(
    changes: dict[str, Any], level: str, kind: str, place: str
) -> None:
    found = findings(replace(FACTS, **changes))
    assert [(one.level.value, one.kind, one.about) for one in found] == [(level, kind, place)]
    assert found[0].says
    assert found[0].remedy or found[0].level is Level.OK


def test_places_begin_with_the_mount_and_errors_come_first() -> None:
    facts = replace(
        FACTS, mount="apps", git=None, files=["x.txt"],
        entries=entry(verdict=Verdict(missing=(ANN,))),
    )  # fmt: skip
    assert [(one.kind, one.about) for one in findings(facts)] == [
        ("plaintext", "apps/x.txt"),
        ("readers", "apps/one"),
        ("no-history", "apps"),
    ]
    assert findings(facts)[1].remedy == "flux-secret reencrypt apps/one"


def test_a_name_that_no_command_of_ours_takes_is_mended_with_git() -> None:
    found = findings(replace(FACTS, entries=entry(name="-rf", file="-rf.gpg", target="-rf.gpg")))
    assert "git mv" in found[0].remedy


def test_entries_below_an_unusable_recipients_file_are_not_counted_again() -> None:
    facts = replace(
        FACTS, recipients=root(problem=".gpg-id names nobody"),
        entries=entry(verdict=Verdict(extra=("FF",))),
    )  # fmt: skip
    assert [one.kind for one in findings(facts)] == ["recipients-file"]


def test_what_concerns_recipients_is_a_part_of_all_kinds() -> None:
    assert {"readers", "key-expires", "lookup"} <= ABOUT_RECIPIENTS
    assert not ABOUT_RECIPIENTS & {"plaintext", "uncommitted", "open-files"}
