"""What was seen → the first broken link; and what an agent says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from flux_secret.errors import (
    DecryptError,
    EmptyValueError,
    EntryNotFoundError,
    FluxSecretError,
    ForbiddenError,
    GenerateError,
    KeyFileError,
    ReadRefusedError,
    StoreRewoundError,
    UnreachableError,
)
from flux_secret.model.app import AppName
from flux_secret.model.change import Action, Change
from flux_secret.model.delivery import Delivery, HeldBack, Read, Revision, StoreRevision
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import ObjectKey, SecretPath, StoreName
from flux_secret.model.reference import Lookup
from flux_secret.model.report import AppReport
from flux_secret.model.target import Source, Target
from flux_secret.model.why import Chain, LinkKind, Place, State
from flux_secret.reconcile.why.diagnose import diagnose
from flux_secret.reconcile.why.seen import Again, EntryFacts, KeyFacts, Places, Seen, Step, Trace
from flux_secret.reconcile.why.subject import Subject

OPS, STORE = "a" * 40, "b" * 40
APPS, PATH = StoreName("apps"), SecretPath(("apps", "db"))
OURS, OTHERS = "00000000AAAAAAAA", "00000000BBBBBBBB"
SECRET = ObjectKey("", "Secret", "dev", "db")
FACTS = EntryFacts(PATH, "apps", "db.gpg", STORE, recipients=(OURS,), wanted=(f"0x{OURS}",))
KEY = KeyFacts("flux.asc", (OURS,))
ANY = Subject("demo", app="demo")
WEB = ObjectKey("apps", "Deployment", "dev", "web")


def seen(
    error: FluxSecretError | None = None, step: Step | None = None, *, read: bool = True,
    facts: EntryFacts = FACTS, key: KeyFacts = KEY, changes: tuple[Change, ...] = (),
) -> Seen:  # fmt: skip
    """Give a trace that this error stopped; `read`: a question to the store failed with it."""
    delivery = Delivery(Target(Source(GitUrl("/ops", "file"), "main"), "demo", app="dev/demo"))
    if step is not Step.SOURCE:
        delivery.revision = Revision(OPS, {APPS: StoreRevision(STORE)})
        failed = error if read else None
        delivery.reads.append(Read(Lookup(PATH), APPS, STORE, "c" * 40, failed))
    delivery.error = error
    delivery.changes.changes.extend(changes)
    trace = Trace(delivery, step, holders={PATH: (replace(SECRET, namespace=""),)})
    return Seen(trace, Places(Place("/ops", OPS)), {PATH: facts}, key, Again(flags="-x"))


def broken(what: Seen, subject: Subject = ANY) -> tuple[LinkKind, int]:
    found = diagnose(what, subject).broken
    assert found is not None
    return found.kind, found.exit_code


@pytest.mark.parametrize(
    ("error", "step", "read", "kind"),
    [
        (UnreachableError("no"), Step.SOURCE, False, LinkKind.COMMIT),
        (UnreachableError("no"), Step.STORES, False, LinkKind.ENTRY),
        (GenerateError("no"), Step.GENERATE, False, LinkKind.FILE),
        (EmptyValueError("null"), Step.RESOLVE, False, LinkKind.FILE),
        (EmptyValueError("empty"), Step.GENERATE, True, LinkKind.ENTRY),
        (EntryNotFoundError("no"), Step.RESOLVE, True, LinkKind.ENTRY),
        (ReadRefusedError("no"), Step.RESOLVE, True, LinkKind.ENTRY),
        (DecryptError("damaged"), Step.RESOLVE, True, LinkKind.ENTRY),
        (UnreachableError("no"), Step.APPLY, False, LinkKind.OBJECT),
    ],
)
def test_what_stopped_it_names_the_link(
    error: FluxSecretError, step: Step, read: bool, kind: LinkKind
) -> None:
    assert broken(seen(error, step, read=read)) == (kind, error.exit_code)
    links = diagnose(seen(error, step, read=read), ANY).links
    order = list(LinkKind)
    after = [link for link in links if order.index(link.kind) > order.index(kind)]
    assert not [link for link in after if link.state is State.BROKEN]
    assert {link.state for link in after if link.kind is LinkKind.PODS} == {State.UNSEEN}


@pytest.mark.parametrize(
    ("facts", "key", "kind"),
    [
        (FACTS, KEY, LinkKind.ENTRY),
        (replace(FACTS, recipients=()), KEY, LinkKind.ENTRY),
        (replace(FACTS, recipients=(OTHERS,)), KEY, LinkKind.RECIPIENTS),
        (replace(FACTS, recipients=("0" * 16,)), KEY, LinkKind.ENTRY),
        (FACTS, KeyFacts("home"), LinkKind.KEY),
        (replace(FACTS, recipients=(OTHERS,)), KeyFacts("x", error=KeyFileError("no")),
         LinkKind.KEY),
    ],
)  # fmt: skip
def test_what_does_not_open_is_the_entrys_the_recipients_or_the_keys(
    facts: EntryFacts, key: KeyFacts, kind: LinkKind
) -> None:
    what = seen(DecryptError("no"), Step.RESOLVE, facts=facts, key=key)
    assert broken(what) == (kind, 4)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Change(SECRET, Action.CREATED), 1),
        (Change(SECRET, Action.CONFIGURED), 1),
        (Change(SECRET, Action.DELETED), 1),
        (Change(SECRET, Action.FAILED, error=ForbiddenError("no")), 7),
        (Change(SECRET, Action.UNCHANGED), 0),
        (Change(SECRET, Action.SKIPPED, "ignored"), 0),
    ],
)
def test_an_object_that_is_not_as_it_should_be(change: Change, code: int) -> None:
    chain = diagnose(seen(changes=(change,)), ANY)
    assert chain.exit_code == code


def test_only_what_is_asked_about_counts() -> None:
    other = Change(replace(SECRET, name="other"), Action.CREATED)
    what = seen(changes=(other, Change(SECRET, Action.UNCHANGED)))
    assert diagnose(what, Subject("secret/db", kind="secret", name="db")).exit_code == 0
    assert diagnose(what, Subject("apps/db", entry=PATH)).exit_code == 0
    assert diagnose(what, ANY).exit_code == 1


def told(what: Seen, report: AppReport) -> Chain:
    return diagnose(replace(what, report=report), ANY)


REPORT = AppReport(
    AppName("dev", "demo"), ready=True, applied=f"main@sha1:{OPS}, apps@{STORE[:12]}"
)


def test_an_agent_that_has_delivered_these_commits_is_believed() -> None:
    what = seen(DecryptError("no"), Step.RESOLVE, key=KeyFacts("home"))
    assert told(what, REPORT).broken is None
    refused = seen(changes=(Change(SECRET, Action.FAILED, error=ForbiddenError("no")),))
    assert told(refused, REPORT).broken is None
    old = replace(REPORT, applied=f"main@sha1:{OPS}, apps@{'d' * 12}")
    assert told(what, old).exit_code == 4


def test_an_agent_that_fails_alone_names_its_link() -> None:
    failed = replace(REPORT, ready=False, reason="AccessDenied", message="may not read")
    chain = told(seen(), failed)
    assert chain.broken is not None
    assert (chain.broken.kind, chain.broken.reason) == (LinkKind.ENTRY, "may not read")
    assert chain.exit_code == 4


def test_a_suspended_app_is_broken_at_its_commit() -> None:
    chain = told(seen(), replace(REPORT, suspended=True))
    assert chain.broken is not None
    assert chain.broken.kind is LinkKind.COMMIT
    assert chain.broken.commands == ("flux-secret resume dev/demo --agent flux",)
    own = replace(seen(), again=Again("dev/demo"))
    chain = told(own, replace(REPORT, suspended=True))
    assert chain.broken is not None
    assert chain.broken.commands == ("flux-secret resume demo -n dev",)


def test_a_newer_commit_waits_for_its_agent() -> None:
    late = seen(changes=(Change(SECRET, Action.CONFIGURED),))
    chain = told(late, replace(REPORT, applied="main@sha1:older", attempted="main@sha1:older"))
    assert chain.broken is not None
    assert (chain.broken.kind, chain.exit_code) == (LinkKind.COMMIT, 1)
    assert "tried main@sha1:older" in chain.broken.reason


def test_what_owners_have_not_agreed_to_is_the_entrys_break_with_the_command() -> None:
    what = seen(changes=(Change(SECRET, Action.UNCHANGED),))
    says, gives = "prod waits for Ann; with: …", "flux-secret owners approve apps 'a;b, c'"
    what.trace.held = (HeldBack(APPS, "prod", says, gives), HeldBack(APPS, "", says))
    link = diagnose(what, ANY).broken
    assert link is not None
    assert (link.kind, link.name, link.exit_code) == (LinkKind.ENTRY, "apps/prod", 4)
    assert link.commands == (gives,)
    evil = "owners.yaml names 'flux-secret owners approve $(evil)', whom the file does not know"
    what.trace.held = (HeldBack(APPS, "prod", evil),)
    assert diagnose(what, ANY).broken is not None
    assert not diagnose(what, ANY).broken.commands  # type: ignore[union-attr]
    assert diagnose(what, Subject("apps/db", entry=PATH)).broken is None


@pytest.mark.parametrize(
    ("remedy", "lines"),
    [
        ("let its owners accept it: flux-secret store accept-rewind a --instead-of b --store apps",
         ("flux-secret store accept-rewind a --instead-of b --store apps",)),
        ("start once with --accept-store-rewind apps=abc",
         ("flux-secret deliver -x --accept-store-rewind=apps=abc",)),
        ("look at it", ()),
    ],
)  # fmt: skip
def test_a_store_that_was_taken_back(remedy: str, lines: tuple[str, ...]) -> None:
    what = seen(changes=(Change(SECRET, Action.UNCHANGED),))
    what.trace.rewound = StoreRewoundError("rewound", remedy=remedy)
    link = diagnose(what, ANY).broken
    assert link is not None
    assert (link.kind, link.exit_code, link.commands) == (LinkKind.ENTRY, 6, lines)


@dataclass(frozen=True)
class Pods:
    """A use of the Secret."""

    old: int = 0
    unsure: int = 0
    pods: int = 3
    secret: ObjectKey = SECRET
    workload: ObjectKey = WEB


@pytest.mark.parametrize(
    ("pods", "state", "code", "says"),
    [
        (Pods(), State.WHOLE, 0, "3 pods started after secret/db changed last"),
        (Pods(old=1), State.BROKEN, 1, "1 of 3 pods started before secret/db changed"),
        (Pods(old=1, unsure=1), State.BROKEN, 1, "1 of 3 pods started before secret/db changed"),
        (Pods(unsure=2), State.UNSEEN, 0, "2 of 3 pods started in the very second in which"),
    ],
)
def test_pods_are_new_or_old_or_nobody_can_tell(
    pods: Pods, state: State, code: int, says: str
) -> None:
    chain = diagnose(replace(seen(), pods=(pods,)), ANY)
    (link,) = [one for one in chain.links if one.kind is LinkKind.PODS]
    assert (link.state, link.exit_code, chain.exit_code) == (state, code, code)
    assert link.reason.startswith(says)
    assert any("rollout restart" in line for line in link.commands) is (state is not State.WHOLE)
