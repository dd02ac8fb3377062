"""What may cross between a worker and its parent, and what never does."""

from __future__ import annotations

import asyncio
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest

from flux_secret.errors import BugError, HeldError, UnreachableError
from flux_secret.model.change import Action, Change, ChangeSet
from flux_secret.model.delivery import Delivery, Read, Remark, Revision, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.manifest import Bundle, BundleItem, Manifest, Origin
from flux_secret.model.names import ObjectKey, SecretPath, StoreName
from flux_secret.model.plaintext import Plaintext
from flux_secret.model.reference import Lookup
from flux_secret.model.target import Source, Target
from flux_secret.outside.workers.messages import (
    MAX_MESSAGE,
    Answer,
    Failure,
    Given,
    Line,
    Question,
    framed,
    packed,
    received,
    unpacked,
)
from flux_secret.reconcile.workers import Job, Made
from flux_secret.source.checkout import Checkout
from flux_secret.store.pinned import PinnedStore, Pins

KEY = ObjectKey("", "Secret", "dev-demo", "demo-secret")
APPS = StoreName("apps")
TARGET = Target(Source(GitUrl.parse("https://host/ops"), "main"), "demo", frozenset({APPS}))
CANARY = Plaintext(b"correct horse")


def delivery() -> Delivery:
    held = HeldError("would be emptied", remedy="--confirm abc", token="abc")
    return Delivery(
        TARGET,
        Revision("a" * 40, {APPS: StoreRevision("b" * 40)}),
        [Read(Lookup(SecretPath(("apps", "demo"))), APPS, "b" * 40, "c" * 40)],
        ChangeSet([Change(KEY, Action.FAILED, error=held, origin="demo.yaml, document 1")]),
        UnreachableError("the API server does not answer"),
        ["a note"],
        remarks=[Remark("demo/.flux.yaml", "says")],
    )


def job() -> Job:
    checkout = Checkout(Path("/x"), Path("/x/demo"), "a" * 40, ("note",))
    return Job(
        TARGET,
        checkout,
        Pins({APPS: PinnedStore(Path("/s.git"), StoreRevision("b" * 40))}),
        "order",
    )


def test_what_a_worker_did_says_the_same_after_crossing() -> None:
    sent = Made(delivery(), listed=True)
    crossed = unpacked(packed(Answer(sent))).content
    assert crossed.listed
    assert crossed.delivery.reads == sent.delivery.reads
    assert crossed.delivery.revision == sent.delivery.revision
    (change,), (before,) = crossed.delivery.changes, sent.delivery.changes
    assert change.action is Action.FAILED
    assert vars(change.error) == vars(before.error)
    assert crossed.delivery.error.retryable
    assert (crossed.delivery.notes, crossed.delivery.remarks) == (
        sent.delivery.notes,
        sent.delivery.remarks,
    )


def test_a_job_says_the_same_after_crossing() -> None:
    assert unpacked(packed(Given(job(), 7, 1024))) == Given(job(), 7, 1024)


def leaking() -> list[object]:
    item = BundleItem(Manifest(KEY, "v1", {}, Origin("x")), {"k": CANARY})
    login = GitUrl.parse("https://user:token@host/ops")
    quoting, noted, remembered = delivery(), delivery(), job()
    quoting.notes.append(CANARY)  # type: ignore[arg-type]
    noted.changes.add(Change(KEY, Action.CREATED, CANARY))  # type: ignore[arg-type]
    error = UnreachableError("x")
    error.seen = CANARY  # type: ignore[attr-defined]
    return [
        CANARY, Answer(Made(quoting)), Answer(Made(noted)), Failure(error),
        Given(Job(TARGET, remembered.checkout, remembered.pins, CANARY), 1, 1),
        Given(Job(TARGET, remembered.checkout, remembered.pins, Bundle((item,))), 1, 1),
        Given(Target(Source(login, "main"), "demo"), 1, 1), Line("info", {"event": CANARY}),
    ]  # fmt: skip


@pytest.mark.parametrize("message", leaking())
def test_nothing_with_a_plaintext_in_it_crosses(message: object) -> None:
    with pytest.raises(BugError, match="what may not leave its process") as raised:
        packed(message)
    assert "horse" not in str(raised.value)


@dataclass(frozen=True)
class Foreign:
    """A word, but none of ours."""


class Calling:
    """What pickle would call when it is read."""

    def __init__(self, *words: object) -> None:
        self.words = words

    def __reduce__(self) -> tuple[object, ...]:
        return self.words[0], self.words[1:]


@pytest.mark.parametrize(
    "forged",
    [
        pickle.dumps(Calling(os.system, "true")),
        pickle.dumps(Calling(Plaintext, b"forged")),
        pickle.dumps(Calling(GitUrl.parse, "/x")),
        pickle.dumps(Calling(getattr, KEY, "name")),
        pickle.dumps(Calling(getattr, Action, "__class__")),
        pickle.dumps(packed),
        pickle.dumps(Foreign()),
        pickle.dumps([1, 2])[:-2],
        b"",
        b"no pickle",
    ],
)
def test_what_is_no_word_of_ours_is_not_made(forged: bytes) -> None:
    with pytest.raises(BugError, match="a message between our processes is none"):
        unpacked(forged)


async def test_messages_come_as_they_were_sent_until_the_other_end_is_gone() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(framed(Question(1)) + framed(Answer("two")) + framed(Line("info", {}))[:5])
    stream.feed_eof()
    assert await received(stream) == Question(1)
    assert await received(stream) == Answer("two")
    assert await received(stream) is None


async def test_a_message_beyond_all_bounds_is_not_waited_for() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data((MAX_MESSAGE + 1).to_bytes(8, "big"))
    with pytest.raises(BugError, match="has 268435457 bytes"):
        await received(stream)


def test_an_enum_is_read_also_as_the_first_versions_of_python_3_11_pack_it() -> None:
    """Debian 12's, which the image has; later ones pack `KIND(VALUE)`."""
    packed_by_debian = pickle.dumps(Calling(getattr, Action, "CREATED"))
    assert unpacked(packed_by_debian) is Action.CREATED
