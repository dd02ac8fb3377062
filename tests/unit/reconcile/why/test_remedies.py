"""A break → lines for a shell; what they do is tried by tests/behaviour/test_why.py."""

from __future__ import annotations

import json
import shlex

import pytest

from flux_secret.errors import (
    EntryNotFoundError,
    FluxSecretError,
    ForbiddenError,
    HeldError,
    IntegrityError,
    NotOursError,
    ReadRefusedError,
    RejectedError,
)
from flux_secret.model.names import ObjectKey, SecretPath
from flux_secret.model.reference import Lookup
from flux_secret.model.why import Place
from flux_secret.outside.kubernetes import Json
from flux_secret.outside.kubernetes.failure import Request, failure
from flux_secret.reconcile.why import remedies
from flux_secret.reconcile.why.seen import Again, EntryFacts, KeyFacts

KEY = ObjectKey("", "Secret", "dev", "db")
PATH = SecretPath(("apps", "a b", "$(id)"))
FLAGS, APP = Again(flags="--git-url=x"), Again("dev/demo", agent_namespace="flux")
HELD = HeldError("held", token="abc")
FOREIGN = NotOursError("foreign", remedy="delete it, or take it over with --adopt-existing")
OTHERS = NotOursError("another target's", remedy="let one of the two make it")


@pytest.mark.parametrize(
    ("error", "how", "lines"),
    [
        (HELD, FLAGS, ("flux-secret deliver --git-url=x --confirm=abc",)),
        (HELD, APP, ("flux-secret sync --confirm abc --url http://127.0.0.1:3030",)),
        (FOREIGN, FLAGS, ("flux-secret deliver --git-url=x --adopt-existing",)),
        (FOREIGN, APP, ("kubectl delete secret/db -n dev", "flux-secret sync demo -n dev")),
        (OTHERS, FLAGS, ()),
        (RejectedError("no"), FLAGS, ()),
    ],
)
def test_an_object(error: FluxSecretError, how: Again, lines: tuple[str, ...]) -> None:
    assert remedies.of_object(error, KEY, None, how) == lines


def test_a_right_is_granted_with_its_binding() -> None:
    said = (
        "kubectl -n dev create role flux-secret-secrets --verb=get,create,patch "
        "--resource=secrets, and bind it to this agent with kubectl create rolebinding"
    )
    role, binding, *_ = remedies.of_object(ForbiddenError("no", remedy=said), KEY, None, FLAGS)
    put = " --dry-run=client -o yaml | kubectl apply --server-side --force-conflicts -f -"
    assert role == said.partition(",")[0] + ",create,patch --resource=secrets" + put
    assert binding == (
        "kubectl -n dev create rolebinding flux-secret-secrets --role=flux-secret-secrets "
        f"--serviceaccount=flux:flux-secret{put}"
    )
    get = said.replace("get,create,patch", "get")
    assert remedies.of_object(ForbiddenError("no", remedy=get), KEY, None, FLAGS)[0] == role


def test_a_namespace_that_is_going_is_waited_for() -> None:
    error = RejectedError("refused", said="namespace dev is being terminated")
    assert remedies.of_object(error, KEY, None, APP)[0].startswith("kubectl wait --for=delete")


def test_names_from_outside_are_quoted() -> None:
    facts = EntryFacts(PATH, "apps")
    lines = remedies.of_read(EntryNotFoundError("no"), Lookup(PATH), facts, None, FLAGS)
    assert shlex.split(lines[0]) == ["flux-secret", "store", "insert", "apps/a b/$(id)"]


def test_a_namespace_that_is_called_like_a_program_is_a_namespace_in_every_line() -> None:
    name = "$(id>x)'&;"  # an API server says 403 before it looks whether it can be one
    request = Request("patch", "secrets", name, "db")
    refused = failure(
        request,
        403,
        {"message": 'secrets "db" is forbidden: User "u" cannot patch resource "secrets"'},
    )
    missing: Json = {"message": "no", "details": {"kind": "namespaces", "name": name}}
    for error in (refused, failure(request, 404, missing)):
        lines = remedies.of_object(error, KEY, None, FLAGS)
        assert name in shlex.split(lines[0])


def test_a_reader_is_added_to_a_store() -> None:
    facts = EntryFacts(SecretPath(("apps", "team", "db")), "apps")
    lines = remedies.of_read(ReadRefusedError("no"), Lookup(facts.path), facts, None, APP)
    patch = json.loads(shlex.split(lines[0])[-1])
    assert patch[0]["value"] == {"namespaces": ["dev"], "paths": ["team/db"]}
    assert remedies.of_read(ReadRefusedError("no"), Lookup(facts.path), facts, None, FLAGS) == ()


def test_a_name_is_replaced_where_it_differs_and_nowhere_else() -> None:
    place = Place("ops", file="a/b.yaml", line=7)
    (first, *_) = remedies.renamed(place, "apps/team/d.b", "apps/team/d&b|c")
    program = shlex.split(first)[2]
    assert program == "7s|d\\.b|d\\&b\\|c|"


@pytest.mark.parametrize(
    ("wanted", "file", "line"),
    [
        (("0x00000000AAAAAAAA",), ".gpg-id", "flux-secret reencrypt apps/db"),
        (("0x1111111111111111",), ".gpg-id",
         "flux-secret recipients add 0x00000000AAAAAAAA --store apps"),
        (("0x1111111111111111",), "prod/.gpg-id",
         "flux-secret recipients add 0x00000000AAAAAAAA --folder apps/prod"),
    ],
)  # fmt: skip
def test_an_entry_that_is_not_for_our_key(wanted: tuple[str, ...], file: str, line: str) -> None:
    path = SecretPath(("apps", "db"))
    facts = EntryFacts(path, "apps", "db.gpg", wanted=wanted, recipients_file=file)
    key = KeyFacts("flux.asc", ("00000000AAAAAAAA", "00000000BBBBBBBB"))
    assert remedies.of_recipients(facts, key)[0] == line
    assert remedies.of_recipients(facts, KeyFacts("none")) == ()


def test_a_damaged_entry_is_brought_back_from_a_clone_or_without_one() -> None:
    facts = EntryFacts(SecretPath(("apps", "db")), "apps", "db.gpg", good="1" * 40, url="ssh://h/s")
    lines = remedies.of_damage(facts)
    assert lines[0] == "git clone ssh://h/s apps"
    assert lines[-1] == "git -C apps push"
    assert remedies.of_damage(EntryFacts(facts.path, "apps"))[0].startswith(
        "flux-secret store insert --force"
    )


def test_a_hosts_key_is_asked_for() -> None:
    error = IntegrityError("unknown", remedy="get it with `ssh-keyscan -p 22 h`, compare it")
    how = Again(known_hosts="my hosts")
    assert remedies.of_host(error, how) == ("ssh-keyscan -p 22 h >>'my hosts'",)
    assert remedies.of_host(IntegrityError("other"), how) == ()
