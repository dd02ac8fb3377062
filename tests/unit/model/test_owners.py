"""The owners file is read strictly: what a person may have meant otherwise is an error."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_secret.errors import ConfigurationError, FluxSecretError, UsageError
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import MAX_FILE, parse_age, parse_owners, parse_prefix

ALICE = "openpgp:" + "A1" * 20
BOB = "openpgp:" + "b2" * 32


def ssh_line(kind: str = "ssh-ed25519", *rest: bytes) -> str:
    parts = [kind.encode(), *(rest or (b"k" * 32,))]
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"{kind} {base64.b64encode(blob).decode()}"


def text(paths: str = '"": {owners: [alice, bob]}', people: str = "") -> bytes:
    people = people or (
        f"  alice: {{keys: ['{ALICE}', '{ssh_line()} alice@laptop']}}\n"
        f"  bob: {{keys: ['{BOB}'], contact: bob@example.org}}"
    )
    return f"version: 1\nowners:\n{people}\npaths:\n  {paths}\n".encode()


def test_a_file_says_who_answers() -> None:
    owners = parse_owners(
        text(
            '"": {owners: [bob]}\n'
            "  demo//prod/: {owners: [bob, alice], approvals: 2, rotateEvery: 90d, "
            "readers: {apps: ['demo-*'], clusters: []}, contact: '#team'}"
        )
    )
    rule = owners.own("demo/prod")
    assert rule is not None
    assert (rule.owners, rule.approvals, rule.rotate_every) == (("alice", "bob"), 2, 90 * 86400)
    assert (rule.apps, rule.clusters, rule.contact) == (("demo-*",), (), "#team")
    alice, bob = owners.of(rule)
    assert [key.kind for key in alice.keys] == [KeyKind.OPENPGP, KeyKind.SSH]
    assert alice.keys[1].id == ssh_line()
    assert bob.keys[0].short == "0x" + "B2" * 8
    assert bob.contact == "bob@example.org"


def test_the_longest_prefix_wins_by_whole_folders_or_as_the_entry() -> None:
    people = "[alice]"
    owners = parse_owners(text(f"demo: {{owners: {people}}}\n  demo/prod/db: {{owners: {people}}}"))
    found = {entry: owners.rule(entry) for entry in ("demo/prod/db", "demo/prod/dbs", "demos/a")}
    assert {entry: rule and rule.prefix for entry, rule in found.items()} == {
        "demo/prod/db": "demo/prod/db",
        "demo/prod/dbs": "demo",
        "demos/a": None,
    }
    rule = owners.rule("demo/prod/db/more")
    assert rule is not None
    assert rule.covers("demo/prod/db/more")
    assert not rule.covers("demo/prod/dbs")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no mapping"),
        (b"\xff", "is not UTF-8"),
        (b"version: 2\n", "version is not 1"),
        (b"version: true\n", "version is not 1"),
        (b"a: 1\na: 2\n", "line 2: 'a' stands twice"),
        (b"a: &x [1]\nb: *x\n", "an alias"),
        (b"? [a]\n: 1\n", "a field's name is no text"),
        (b"a: [\n", "is no YAML"),
        (b"[" * 5000, "more than 32 levels"),
        (b"a: 1\n---\nb: 2\n", "is no YAML"),
        (b"#" * (MAX_FILE + 1), "larger than"),
        (text('"": {owners: [carol]}'), "names 'carol', whom the file does not know"),
        (text('"": {owners: []}'), "names nobody"),
        (text('"": {owners: [bob, bob]}'), "names somebody twice"),
        (text('"": {owners: [bob], approvals: 2}'), "only 1 owner is named"),
        (text('"": {owners: [bob], approvals: 0}'), "no number of people"),
        (text('"": {owners: [bob], approvals: "1"}'), "no number of people"),
        (text('"": {owners: [bob], aprovals: 1}'), "unknown field 'aprovals'"),
        (text('"": {owners: [bob], rotateEvery: soon}'), "rotateEvery"),
        (text('"": {owners: [bob], readers: {app: [a]}}'), "unknown field 'app'"),
        (text("a/b: {owners: [bob]}\n  a//b/: {owners: [bob]}"), "has a/b twice"),
        (text("/a: {owners: [bob]}"), "'/a' is no folder of a store"),
        (text("a/../b: {owners: [bob]}"), "begins with a dot"),
        (text(".flux-secret: {owners: [bob]}"), "begins with a dot"),
        (text("demo/db.gpg: {owners: [bob]}"), "is a file's name, not an entry's"),
        (text("demo.age/db: {owners: [bob]}"), "is a file's name, not an entry's"),
        (text('"a\\nb": {owners: [bob]}'), "no folder of a store"),
        (text(people="  bob: {keys: []}"), "has no key"),
        (text(people="  bob: {keys: ['openpgp:1234']}"), "no full OpenPGP fingerprint"),
        (text(people="  bob: {keys: ['ssh-ed25519 !']}"), "is no key"),
        (text(people=f"  bob: {{keys: ['{ssh_line('ssh-dss')}']}}"), "cannot approve"),
        (
            text(people=f"  bob: {{keys: ['{ssh_line('ssh-rsa', b'e', b'n' * 128)}']}}"),
            "1023 bits: weak",
        ),
        (text(people=f"  bob: {{keys: ['{BOB}', '{BOB}']}}"), "has a key twice"),
        (
            text(people=f"  alice: {{keys: ['{BOB}']}}\n  bob: {{keys: ['{BOB}']}}"),
            "alice and bob have the same key",
        ),
        (text(people=f"  'bo b': {{keys: ['{BOB}']}}"), "is no owner's name"),
    ],
)
def test_what_is_wrong_is_named(content: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_owners(content)
    assert says in caught.value.what
    assert caught.value.what.startswith(".flux-secret/owners.yaml")
    assert caught.value.remedy


def test_an_age_is_days_weeks_or_a_duration() -> None:
    assert [parse_age(one) for one in ("90d", "2w", "36h")] == [7776000, 1209600, 129600]
    for wrong in ("0d", "0", "-1d", "d", "1y"):
        with pytest.raises(UsageError):
            parse_age(wrong)


def test_an_unquoted_number_is_no_persons_name_but_a_text() -> None:
    owners = parse_owners(
        b"version: 1\nowners: {007: {keys: ['%s']}}\npaths: {2024: {owners: ['007']}}\n"
        % ALICE.encode()
    )
    assert owners.rule("2024/a") is not None


def test_ten_thousand_rules_are_read_and_one_more_is_not() -> None:
    rules = "\n  ".join(f"team/{n}: {{owners: [alice, bob], approvals: 2}}" for n in range(10_000))
    owners = parse_owners(text(rules))
    assert len(owners.rules) == 10_000
    with pytest.raises(ConfigurationError, match="more than 10000"):
        parse_owners(text(rules + "\n  more: {owners: [bob]}"))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_owners_or_our_error(content: bytes) -> None:
    try:
        parse_owners(b"version: 1\nowners: {}\npaths:\n" + content)
    except FluxSecretError as error:
        assert error.remedy


@given(st.text(max_size=50))
def test_a_prefix_is_what_it_says_or_our_error(given_text: str) -> None:
    try:
        prefix = parse_prefix(given_text)
    except UsageError:
        return
    assert parse_prefix(prefix) == prefix


@given(st.text(max_size=80) | st.from_regex(r"(openpgp:|ssh-ed25519 )[A-Za-z0-9+/=]{0,80}"))
def test_a_key_is_one_or_our_error(line: str) -> None:
    try:
        key = OwnerKey.parse(line)
    except UsageError:
        return
    assert OwnerKey.parse(str(key)) == key
