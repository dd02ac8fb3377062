"""What somebody who may push to a store tries: each story is held, and says why.

The store is real git; alice signs with gpg, bob with ssh, and mallory with a key of her own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flux_secret.access.approvals import Verdict, told
from flux_secret.errors import IntegrityError
from flux_secret.model.approval import COMMIT_NAMESPACE, REFS, State, Statement
from simulators.gnupg import Home, home
from simulators.owned import OWNERS, OwnedStore, Signatory, ssh_key

PROD = "  demo/prod: {owners: [alice, bob], approvals: 2}\n"
FILES = {
    ".gpg-id": "0xALICE\n0xBOB\n",
    "demo/prod/db.gpg": "production 1",
    "demo/prod/api.gpg": "api",
    "demo/dev/db.gpg": "development 1",
    "other.gpg": "other",
}
THEN, LATER = "20200601T000000", "--faked-system-time=20200901T000000"


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Home]:
    with home() as made:
        made.signing_key("alice@example.org")
        made.signing_key("mallory@example.org")
        yield made


@pytest.fixture
def alice(gnupg: Home) -> Signatory:
    return Signatory("alice", gnupg)


@pytest.fixture
def mallory(gnupg: Home) -> Signatory:
    return Signatory("mallory", gnupg)


@pytest.fixture
def bob(tmp_path: Path) -> Signatory:
    return ssh_key(tmp_path, "bob")


@pytest.fixture
def store(tmp_path: Path, alice: Signatory, bob: Signatory) -> OwnedStore:
    return OwnedStore.create(tmp_path / "store", [alice, bob], PROD, FILES)


def knows(store: OwnedStore, who: Signatory) -> None:
    """Put a key among the store's exported ones, as gopass does of recipients."""
    assert who.gnupg
    store.commit({f".public-keys/{who.name}": who.gnupg.public_key(who.email)})


async def held(store: OwnedStore) -> dict[str, Verdict]:
    return {one.prefix: one for one in (await store.judge()).held}


async def says(store: OwnedStore, prefix: str = "demo/prod") -> str:
    return "\n".join(told((await held(store))[prefix], "apps"))


async def test_a_change_counts_when_two_owners_have_approved_it(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    before = store.states["demo/prod"]
    head = store.commit({"demo/prod/db.gpg": "production 2"})
    assert "the signature of alice, bob is missing" in await says(store)
    await store.approve(alice)
    assert "the signature of bob is missing" in await says(store)
    assert store.states["demo/prod"] == before
    await store.approve(bob)
    assert not await held(store)
    assert store.states["demo/prod"].commit == head


async def test_a_signed_commit_counts_as_its_authors_approval(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    store.commit({"demo/prod/db.gpg": "production 2"}, by=alice)
    assert "the signature of bob is missing" in await says(store)
    store.commit({"demo/dev/db.gpg": "development 2"}, by=bob)
    assert "the signature of bob is missing" in await says(store)
    await store.approve(bob)
    assert not await held(store)
    store.commit({"demo/prod/db.gpg": "production 3"}, by=bob)
    assert "the signature of alice is missing" in await says(store)
    await store.approve(alice)
    assert not await held(store)


async def test_one_unapproved_path_holds_back_no_other(store: OwnedStore) -> None:
    store.commit({"demo/prod/db.gpg": "2", "demo/dev/db.gpg": "2", "other.gpg": "2"})
    found = await store.judge()
    assert [one.prefix for one in found.held] == ["demo/prod"]
    assert set(found.states) == {"demo/prod"}


@pytest.mark.parametrize(
    "change",
    [
        {"demo/prod/db.gpg": "development 1"},
        {"demo/prod/db.gpg": None},
        {"demo/prod/new.gpg": "new"},
        {"demo/prod.gpg": "an entry beside the folder"},
        {"demo/prod/.gpg-id": "0xMALLORY\n"},
        {".gpg-id": "0xALICE\n0xBOB\n0xMALLORY\n"},
        {"demo/.gpg-id": "0xMALLORY\n"},
        {".age-recipients": "age1mallory\n"},
        {OWNERS: None},
        {OWNERS: "no: owners\n"},
    ],
    ids=[
        "ciphertext of another path", "removed", "added", "an entry of the folder's name",
        "recipients of its own", "a recipient added above", "recipients put in between",
        "recipients of the other kind", "no owners file", "a broken owners file",
    ],
)  # fmt: skip
async def test_whatever_changes_what_is_owned_is_held(
    store: OwnedStore, change: dict[str, str | None]
) -> None:
    before = store.states
    store.commit(change)
    assert list(await held(store)) == ["demo/prod"]
    assert store.states == before


async def test_what_does_not_concern_it_is_not_held(store: OwnedStore, mallory: Signatory) -> None:
    knows(store, mallory)
    store.commit({"README.md": "hello", "demo/db.gpg": "x"})
    store.commit({"demo/dev/.gpg-id": "0xDEV\n", "demo/production.gpg": "not prod"})
    assert not await held(store)


async def test_an_old_blob_that_is_put_back_is_held(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    store.commit({"demo/prod/db.gpg": "production 2"})
    approvals = await store.approve(alice, bob)
    assert not await held(store)
    store.commit({"demo/prod/db.gpg": "production 1"})
    assert "the signature of alice, bob is missing" in await says(store)
    await store.approve(alice, bob)
    assert not await held(store)
    # and the first approval, which was used up, does not bring the second value back
    store.commit({"demo/prod/db.gpg": "production 2"})
    for approval in approvals:
        store.put(approval)
    assert "the signature of alice, bob is missing" in await says(store)


async def test_from_the_anchor_on_the_same_is_found_as_step_by_step(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    anchor = store.states
    for text in ("2", "3", "2"):
        store.commit({"demo/prod/db.gpg": text})
        await store.approve(alice, bob)
        assert not await held(store)
    store.commit({"demo/prod/db.gpg": "3"})
    await held(store)
    by_steps, store.states = store.states, anchor
    assert list(await held(store)) == ["demo/prod"]
    assert store.states == by_steps


async def test_approvals_for_another_path_tree_commit_or_store_do_not_count(
    store: OwnedStore, tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    store.commit({"demo/prod/db.gpg": "production 2", "demo/dev/db.gpg": "x"})
    verdict = (await held(store))["demo/prod"]
    (right,) = verdict.steps(store.first)
    other = OwnedStore.create(tmp_path / "other", [alice, bob], PROD, {**FILES, "more.gpg": "1"})
    wrong: list[Statement] = [
        replace(right, prefix="demo/dev"),
        replace(right, prefix=""),
        replace(right, store=other.first),
        replace(right, old=State(right.new.commit, right.new.content)),
        replace(right, old=None),
        replace(right, new=State(right.new.commit, "0" * 64)),
        replace(right, new=State(verdict.approved.commit if verdict.approved else "", "0" * 64)),
    ]
    for step in wrong:
        for who in (alice, bob):
            store.keep(step, who)
    assert "the signature of alice, bob is missing" in await says(store)


async def test_a_signature_over_other_words_does_not_count(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    store.commit({"demo/prod/db.gpg": "production 2"})
    (right,) = (await held(store))["demo/prod"].steps(store.first)
    for who in (alice, bob):
        approval = store.keep(replace(right, prefix="demo/dev"), who)
        store.put(replace(approval, statement=right))
    said = await says(store)
    assert "the signature of alice, bob is missing" in said
    assert said.count("does not count: it is not over these words") == 2


async def test_a_signature_that_was_made_for_git_is_no_approval(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    store.commit({"demo/prod/db.gpg": "production 2"})
    await store.approve(alice)
    (right,) = (await held(store))["demo/prod"].steps(store.first)
    approval = store.keep(right, bob)
    signature = bob.sign(right.encode(), namespace=COMMIT_NAMESPACE)
    store.repository.git("update-ref", "-d", approval.ref)
    store.put(replace(approval, signature=signature))
    assert "the signature of bob is missing" in await says(store)


async def test_a_strangers_approval_does_not_count_although_the_store_has_her_key(
    store: OwnedStore, alice: Signatory, mallory: Signatory
) -> None:
    knows(store, mallory)
    store.commit({"demo/prod/db.gpg": "production 2"}, by=mallory)
    await store.approve(alice, mallory)
    said = await says(store)
    assert "the signature of bob is missing" in said
    assert "that key is of no owner of demo/prod" in said


async def test_nobody_makes_herself_an_owner(
    store: OwnedStore, alice: Signatory, bob: Signatory, mallory: Signatory
) -> None:
    knows(store, mallory)
    people = [alice, bob, mallory]
    rules = "  demo/prod: {owners: [alice, bob, mallory], approvals: 1}\n"
    store.owners(rules, people)
    await store.approve(mallory)
    assert "the signature of alice, bob is missing" in await says(store)
    await store.approve(alice, bob)
    assert not await held(store)
    store.commit({"demo/prod/db.gpg": "production 2"})
    await store.approve(mallory)
    assert not await held(store)


async def test_nobody_gets_a_key_of_hers_under_anothers_name(
    store: OwnedStore, alice: Signatory, bob: Signatory, mallory: Signatory
) -> None:
    knows(store, mallory)
    text = OwnedStore.text([alice, bob], PROD).replace(bob.key, mallory.key)
    store.commit({OWNERS: text})
    await store.approve(alice, mallory)
    assert "the signature of bob is missing" in await says(store)


async def test_nobody_takes_a_part_of_what_others_own(
    store: OwnedStore, alice: Signatory, bob: Signatory, mallory: Signatory
) -> None:
    knows(store, mallory)
    rules = f"{PROD}  demo/prod/db: {{owners: [mallory]}}\n"
    store.commit({"demo/prod/db.gpg": "hers", OWNERS: store.text([alice, bob, mallory], rules)})
    await store.approve(mallory)
    assert set(await held(store)) == {"demo/prod", "demo/prod/db"}
    # her own next change is no way round it, whatever was remembered
    store.commit({"demo/prod/db.gpg": "hers 2"})
    await store.approve(mallory)
    assert set(await held(store)) == {"demo/prod", "demo/prod/db"}
    # with both owners it is hers
    await store.approve(alice, bob)
    assert not await held(store)
    store.commit({"demo/prod/db.gpg": "hers 3"})
    await store.approve(mallory)
    assert not await held(store)
    # and given back by her and by them
    store.owners(PROD)
    await store.approve(alice, bob)
    assert set(await held(store)) == {"demo/prod/db"}
    await store.approve(mallory)
    assert not await held(store)
    assert set(store.states) == {"demo/prod"}


async def test_a_removed_owners_approval_does_not_count(
    store: OwnedStore, alice: Signatory, bob: Signatory, tmp_path: Path
) -> None:
    carol = ssh_key(tmp_path, "carol")
    rules = PROD.replace("bob", "carol")
    store.owners(rules, [alice, carol])
    await store.approve(alice, bob)
    assert not await held(store)
    store.commit({"demo/prod/db.gpg": "production 2"})
    await store.approve(alice, bob)
    assert "the signature of carol is missing" in await says(store)


async def test_a_merge_that_somebody_signed_is_no_approval(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    store.owners("  demo/prod: {owners: [alice, bob]}\n")
    await store.approve(alice, bob)
    assert not await held(store)
    git = store.repository.git
    git("checkout", "-q", "-b", "side")
    store.commit({"demo/prod/db.gpg": "bad"})
    git("checkout", "-q", "master")
    store.commit({"other.gpg": "2"})
    settings = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={bob.ssh}")
    git(*settings, "merge", "-q", "--no-ff", "-S", "-m", "merge", "side")
    assert "the signature of 1 of alice, bob is missing" in await says(store)


async def test_a_head_that_lacks_what_was_approved_is_refused(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    first = store.repository.head
    store.commit({"demo/prod/db.gpg": "production 2"})
    await store.approve(alice, bob)
    await store.judge()
    store.repository.git("reset", "-q", "--hard", first)
    with pytest.raises(IntegrityError, match="does not contain"):
        await store.judge()


async def test_refs_that_are_no_approvals_harm_nothing(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    git = store.repository
    git.git("update-ref", f"{REFS}a/commit", git.head)
    git.git("update-ref", f"{REFS}a/large", git.blob(b"x" * 100_000))
    git.git("update-ref", f"{REFS}a/empty", git.blob(b""))
    git.git("update-ref", f"{REFS}a/text", git.blob(b"flux-secret-approval v1\n\xff"))
    git.git("symbolic-ref", f"{REFS}a/link", "refs/heads/master")
    store.commit({"demo/prod/db.gpg": "production 2"})
    await store.approve(alice, bob)
    assert not await held(store)


@pytest.mark.parametrize(
    ("happens", "because"),
    [
        ("revoked", "the key is revoked"),
        ("revoked, and the old key put back", "the key is revoked"),
        ("unknown", "is not in the store"),
        ("another's", "is not in the store"),
    ],
)
async def test_a_key_that_is_revoked_or_unknown_does_not_count(
    tmp_path: Path, alice: Signatory, happens: str, because: str
) -> None:
    with home() as made:
        made.signing_key("dave@example.org", at=THEN)
        dave = Signatory("dave", made)
        rules = "  demo/prod: {owners: [alice, dave], approvals: 2}\n"
        file = f".public-keys/{made.fingerprint(dave.email)}"
        keys = {} if happens == "unknown" else {file: made.public_key(dave.email)}
        if happens == "another's":
            assert alice.gnupg
            keys = {file: alice.gnupg.public_key(alice.email)}
        store = OwnedStore.create(tmp_path / "store", [alice], "  x: {owners: [alice]}\n", FILES)
        store.commit({OWNERS: store.text([alice, dave], rules), **keys})
        store.states = store.bench().judging.anchored(store.repository.head, store.repository.head)
        store.commit({"demo/prod/db.gpg": "production 2"})
        if happens.startswith("revoked"):
            store.commit({file: made.revoked(dave.email)})
        if "put back" in happens:
            store.commit({file: made.public_key(dave.email)})
        await store.approve(alice, dave)
        said = await says(store)
        assert "the signature of dave is missing" in said
        assert because in said


async def test_a_key_that_had_expired_does_not_count_and_one_that_expired_later_does(
    tmp_path: Path, alice: Signatory
) -> None:
    with home() as made:
        made.signing_key("dave@example.org", at=THEN, expires="1y")
        rules = "  demo/prod: {owners: [alice, dave], approvals: 2}\n"
        in_time = Signatory("dave", made, options=(LATER,))
        store = OwnedStore.create(tmp_path / "store", [alice, in_time], rules, FILES)
        store.commit({"demo/prod/db.gpg": "production 2"})
        await store.approve(alice)
        # gpg does not sign with a key that has expired; a prolonged copy of it does
        with home() as prolonged:
            prolonged.gpg("--import", stdin=made.private_key(in_time.email))
            fingerprint = prolonged.fingerprint(in_time.email)
            prolonged.gpg("--quick-set-expire", fingerprint, "0")
            await store.approve(Signatory("dave", prolonged))
        said = await says(store)
        assert "the signature of dave is missing" in said
        assert "does not count: the key expired on 2021-" in said
        await store.approve(in_time)
        assert not await held(store)
