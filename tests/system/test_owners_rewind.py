"""A branch that was set back, and where trust begins: owners accept it, nobody else does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flux_secret.access.rewinding import Rewind
from flux_secret.errors import ConfigurationError, IntegrityError
from flux_secret.model.approval import Purpose, State, Statement
from flux_secret.model.ownerkey import OwnerKey
from flux_secret.wiring.approving import bench
from simulators.gnupg import home
from simulators.owned import OWNERS, OwnedStore, Signatory, ssh_key
from simulators.repositories import Repository

RULES = '  "": {owners: [alice, bob]}\n  demo/prod: {owners: [alice, bob], approvals: 2}\n'
FILES = {"demo/prod/db.gpg": "1", "other.gpg": "1"}


@pytest.fixture
def alice() -> Iterator[Signatory]:
    with home() as made:
        made.signing_key("alice@example.org")
        yield Signatory("alice", made)


@pytest.fixture
def bob(tmp_path: Path) -> Signatory:
    return ssh_key(tmp_path, "bob")


@pytest.fixture
def store(tmp_path: Path, alice: Signatory, bob: Signatory) -> OwnedStore:
    return OwnedStore.create(tmp_path / "store", [alice, bob], RULES, FILES)


async def rewound(store: OwnedStore, old: str) -> Rewind:
    used = store.bench()
    return await used.rewinding.judge(old, store.repository.head, store.states, used.approvals)


def agrees(store: OwnedStore, who: Signatory, old: str, new: str, *prefixes: str) -> None:
    """Sign as `store accept-rewind` does."""
    judging = store.bench().judging
    for prefix in prefixes:
        before, after = (State(one, judging.content(one, prefix)) for one in (old, new))
        store.keep(Statement(Purpose.REWIND, store.first, prefix, before, after), who)


async def set_back(store: OwnedStore, alice: Signatory, bob: Signatory) -> tuple[str, str]:
    """Deliver a commit, then take it back; give both."""
    new = store.repository.head
    store.commit({"other.gpg": "2"})
    await store.approve(alice, bob)
    await store.judge()
    old = store.repository.head
    store.repository.git("reset", "-q", "--hard", new)
    return old, new


async def test_it_is_refused_until_enough_owners_of_every_path_accept_it(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    old, new = await set_back(store, alice, bob)
    assert [one.prefix for one in (await rewound(store, old)).verdicts] == ["", "demo/prod"]
    agrees(store, alice, old, new, "", "demo/prod")
    left = await rewound(store, old)
    assert [(one.prefix, one.missing) for one in left.verdicts] == [("demo/prod", ("bob",))]
    agrees(store, bob, old, new, "demo/prod")
    accepted = await rewound(store, old)
    assert accepted.is_accepted
    assert accepted.states["demo/prod"].commit == new
    store.states = accepted.states
    assert not (await store.judge()).held


async def test_what_comes_after_the_accepted_commit_needs_approvals_as_ever(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    old, new = await set_back(store, alice, bob)
    for who in (alice, bob):
        agrees(store, who, old, new, "", "demo/prod")
    store.commit({"demo/prod/db.gpg": "2"})
    accepted = await rewound(store, old)
    assert accepted.commit == new
    store.states = accepted.states
    assert [one.prefix for one in (await store.judge()).held] == ["demo/prod"]


async def test_an_acceptance_is_for_these_two_commits_only(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    old, new = await set_back(store, alice, bob)
    for who in (alice, bob):
        agrees(store, who, old, new, "", "demo/prod")
    other = store.commit({"other.gpg": "3"})
    store.repository.git("reset", "-q", "--hard", new)
    # the same way back from another commit, and another way back from the same one
    assert not (await rewound(store, other)).is_accepted
    store.repository.git("checkout", "-q", "--orphan", "another")
    store.commit({"other.gpg": "1"})
    assert not (await rewound(store, old)).is_accepted


async def test_an_approval_of_a_change_is_no_acceptance(
    store: OwnedStore, alice: Signatory, bob: Signatory
) -> None:
    old, new = await set_back(store, alice, bob)
    judging = store.bench().judging
    for prefix in ("", "demo/prod"):
        before, after = (State(one, judging.content(one, prefix)) for one in (old, new))
        step = Statement(Purpose.REWIND, store.first, prefix, before, after)
        for who in (alice, bob):
            store.keep(replace(step, purpose=Purpose.CHANGE), who)
    assert not (await rewound(store, old)).is_accepted


async def test_trust_begins_at_a_commit_that_has_the_file(store: OwnedStore) -> None:
    judging, head = store.bench().judging, store.repository.head
    assert set(judging.anchored(head, head)) == {"", "demo/prod"}
    with pytest.raises(IntegrityError, match="does not contain the trusted commit"):
        judging.anchored(head, "f" * 40)
    bare = store.commit({OWNERS: None})
    with pytest.raises(ConfigurationError, match="has no rule"):
        store.bench().judging.anchored(bare, bare)


async def test_trust_begins_at_the_commit_that_a_trusted_key_signed(
    tmp_path: Path, alice: Signatory, bob: Signatory
) -> None:
    assert alice.gnupg
    alice.gnupg.signing_key("mallory@example.org")
    mallory = replace(alice, name="mallory")
    text = OwnedStore.text([mallory], '  "": {owners: [mallory]}\n')
    repository = Repository.create(tmp_path / "anew", FILES)
    store = OwnedStore(repository, (alice, bob))
    key = alice.gnupg.public_key(mallory.email)
    hers = store.commit({OWNERS: text, ".public-keys/m": key}, by=mallory)
    store.commit({OWNERS: None})
    trusted = OwnerKey.parse(bob.key)

    async def found() -> str | None:
        used = bench(store.git_dir, store.repository.head, path=os.environ["PATH"],
                     trusted=[trusted])  # fmt: skip
        return await used.judging.signed_by(store.repository.head, [str(trusted)])

    assert await found() is None
    his = store.commit({OWNERS: OwnedStore.text([alice, bob], RULES)}, by=bob)
    assert await found() == his != hers
