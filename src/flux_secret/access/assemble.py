"""What stores, owners, deliveries and a cluster say → the graph; pure, and linear in what is said.

Where many lead to many there is a node between them, so that edges stay as few as the facts: a
recipients file between keys and entries, "every Secret in a namespace" and a binding between
Secrets and subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from flux_secret.access.graph import Edge, Graph, Kind, Node
from flux_secret.access.rbac import MASTERS, Grant, Subject
from flux_secret.model.access import Answering, Holder, Runs, Sealed, StoreAccess, Use

EVERYWHERE: Final = Node(Kind.PLACE, "*")
OWN_CLONES: Final = (
    "a person's own gopass, on a clone of theirs, leaves no trace: who has a key and a clone, old "
    "ones included, reads what was ever encrypted to it"
)
WHAT_RBAC_HIDES: Final = (
    f"cluster-admins, the group {MASTERS} and every authorizer beside RBAC, now and later",
    "nodes: whoever is root on one reads the Secrets of its pods",
    "etcd and its backups: whoever reads them reads every Secret that is not encrypted at rest",
    "who may impersonate an account, make a token of it, or bind roles: they get what it can read",
)
WHO_HAS_PODS: Final = (
    "who may create pods, or open a shell in one, in a namespace: they read its Secrets by that; "
    "--through-pods counts them"
)
NO_CLUSTER: Final = "the cluster: it was not asked, so no rights and no workloads are here"
CLAIMED: Final = "the key says so"
PART: Final = "it is one of them"
BINDS: Final = "it names them"
_SUBJECTS: Final = {"User": Kind.USER, "Group": Kind.GROUP, "ServiceAccount": Kind.ACCOUNT}
_ALL_ACCOUNTS: Final = "system:serviceaccounts"
_EVERYBODY: Final = ("system:authenticated", "system:unauthenticated")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was read."""

    stores: tuple[StoreAccess, ...] = ()
    owners: tuple[Answering, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    """Owners and the fingerprints of their OpenPGP keys, as the owners file has them."""
    uses: tuple[Use, ...] = ()
    refused: Mapping[Use, str] = field(default_factory=dict)
    """Which of them the owners' rules do not allow now, and why."""
    asked: bool = False
    """Whether a cluster was asked."""
    secrets: tuple[str, ...] = ()
    """Those that are known to be in it, `NAMESPACE/NAME`."""
    grants: tuple[Grant, ...] = ()
    podding: tuple[Grant, ...] | None = None
    """Who may start or enter pods; None: not looked at."""
    runs: tuple[Runs, ...] = ()
    accounts: tuple[str, ...] = ()
    """Service accounts that are there, `NAMESPACE/NAME`."""
    findings: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    """Secrets that hold the key of an agent, which opens what its Apps read: `NAMESPACE/NAME`."""
    labels: dict[Node, str] = field(default_factory=dict)


def assemble(facts: Facts) -> Graph:
    """Make the graph."""
    labels = dict(facts.labels)
    edges = [*_stores(facts, labels), *_owners(facts), *_uses(facts)]
    findings = [*facts.findings, *(said for one in facts.stores for said in one.findings)]
    unseen = [OWN_CLONES, *facts.unseen]
    if facts.asked:
        edges += _cluster(facts, edges)
        unseen += WHAT_RBAC_HIDES
        unseen += [] if facts.podding is not None else [WHO_HAS_PODS]
    else:
        unseen.append(NO_CLUSTER)
    alone = [entry_node(one) for store in facts.stores for one in store.sealed]
    return Graph.of(edges, alone, labels, findings, unseen)


def entry_node(one: Sealed) -> Node:
    """Give an entry's."""
    return Node(Kind.ENTRY, one.entry)


def person_of(holder: Holder) -> Node | None:
    """Give whose a key says it is: their address, or all of the name where there is none."""
    _, bracket, rest = holder.name.partition("<")
    address = rest.partition(">")[0].strip().lower() if bracket else ""
    name = address or ("" if holder.key.startswith("0x") else holder.name.strip())
    return Node(Kind.PERSON, name) if name else None


def _stores(facts: Facts, labels: dict[Node, str]) -> Iterator[Edge]:
    for store in facts.stores:
        for one in store.sealed:
            entry = entry_node(one)
            file = Node(Kind.RECIPIENTS, _place(store.store, one.circle.file))
            if one.circle.named:
                yield Edge(file, entry, "it is the nearest recipients file")
                lacking = ", ".join(str(holder) for holder in one.lacking)
                if lacking:
                    says = f"the entry is not encrypted to {lacking} yet"
                    yield Edge(file, entry, says, carries=False)
            for holder in one.extra:
                yield from _key(holder, labels)
                says = "it is encrypted to this key, which the recipients file does not name"
                yield Edge(_key_node(holder), entry, says)
            if one.hidden:
                unknown = Node(Kind.KEY, f"hidden in {one.entry}")
                yield Edge(unknown, entry, f"{one.hidden} more, which the message does not name")
        circles = {one.circle.file: one.circle for one in store.sealed}
        for circle in circles.values():
            file = Node(Kind.RECIPIENTS, _place(store.store, circle.file))
            for named in circle.named:
                yield from _key(named.holder, labels)
                doubt = f" ({named.doubt})" if named.doubt else ""
                yield Edge(_key_node(named.holder), file, f"it says {named.written}{doubt}")


def _key(holder: Holder, labels: dict[Node, str]) -> Iterator[Edge]:
    person, key = person_of(holder), _key_node(holder)
    if holder.name:
        labels[key] = holder.name
    if person is not None:
        yield Edge(person, key, CLAIMED)


def _key_node(holder: Holder) -> Node:
    return Node(Kind.KEY, holder.key)


def _place(store: str, file: str) -> str:
    return f"{store}/{file}" if store else file


def _owners(facts: Facts) -> Iterator[Edge]:
    for one in facts.owners:
        owner, entry = Node(Kind.PERSON, one.owner), Node(Kind.ENTRY, one.entry)
        yield Edge(owner, entry, f"answers for it: {one.rule}", carries=False)
    held = {holder.key for store in facts.stores for holder in store.holders}
    for name, key in facts.keys:
        if key in held:
            yield Edge(Node(Kind.PERSON, name), Node(Kind.KEY, key), "the owners file says so")


def _uses(facts: Facts) -> Iterator[Edge]:
    for one in facts.uses:
        entry, app = Node(Kind.ENTRY, one.entry), Node(Kind.APP, one.app)
        yield _reading(one, facts.refused.get(one, ""))
        if one.certain:
            for secret in one.secrets:
                yield Edge(entry, Node(Kind.SECRET, secret), f"delivered by {one.app}")
        elif one.secrets:
            bundle = Node(Kind.BUNDLE, one.app)
            yield Edge(entry, bundle, one.how)
            for secret in one.secrets:
                yield Edge(bundle, Node(Kind.SECRET, secret), "it may hold the value")
        for secret in one.secrets:
            yield Edge(app, Node(Kind.SECRET, secret), "delivers it", carries=False)
        for secret in facts.agents:
            yield Edge(entry, Node(Kind.SECRET, secret), "the key of an agent that opens it")


def _reading(use: Use, refused: str) -> Edge:
    """Say that an App reads an entry; or that it may not, whatever it did before.

    What only stands in a manifest may be delivered under any name, so it is in doubt and no more.
    What was delivered still lies in its Secrets, which other edges say.
    """
    entry, app = Node(Kind.ENTRY, use.entry), Node(Kind.APP, use.app)
    if not refused:
        return Edge(entry, app, use.how)
    if not use.target:
        return Edge(entry, app, f"{use.how}, if it is delivered under such a name: {refused}")
    says = f"{use.app} may not read it any more: {refused}; in Secrets is what it read before"
    return Edge(entry, app, says, carries=False)


def _cluster(facts: Facts, before: Iterable[Edge]) -> Iterator[Edge]:
    secrets = {Node(Kind.SECRET, name) for name in (*facts.secrets, *facts.agents)}
    secrets |= {edge.target for edge in before if edge.target.kind is Kind.SECRET}
    secrets |= {
        Node(Kind.SECRET, f"{one.namespace}/{name}")
        for one in facts.runs
        for name in (*one.secrets, *one.pulls)
    }
    places = {secret: _namespace(secret) for secret in secrets}
    for secret, place in places.items():
        yield Edge(secret, place, PART)
    for place in {*places.values()}:
        yield Edge(place, EVERYWHERE, PART)
    yield Edge(EVERYWHERE, _subject(Subject("Group", MASTERS)), "may do everything, without a rule")
    for grant in facts.grants:
        yield from _grant(grant, secrets)
    for grant in facts.podding or ():
        yield from _podding(grant)
    yield from _members(facts)
    yield from _runs(facts)


def _namespace(secret: Node) -> Node:
    return Node(Kind.PLACE, secret.name.partition("/")[0])


def _grant(grant: Grant, secrets: set[Node]) -> Iterator[Edge]:
    node = Node(Kind.GRANT, f"{grant.binding} → {grant.role}{_only(grant)}")
    if not grant.names:
        place = Node(Kind.PLACE, grant.namespace) if grant.namespace else EVERYWHERE
        yield Edge(place, node, f"{', '.join(grant.verbs)} of every one")
    else:
        for secret in _named(grant, secrets):
            yield Edge(secret, node, f"{', '.join(grant.verbs)} of this one by its name")
    for subject in grant.subjects:
        yield Edge(node, _subject(subject), BINDS)


def _podding(grant: Grant) -> Iterator[Edge]:
    node = Node(Kind.GRANT, f"{grant.binding} → {grant.role} (pods)")
    place = Node(Kind.PLACE, grant.namespace) if grant.namespace else EVERYWHERE
    yield Edge(place, node, f"may {' and '.join(grant.verbs)} that use them")
    for subject in grant.subjects:
        yield Edge(node, _subject(subject), BINDS)


def _only(grant: Grant) -> str:
    return f" ({', '.join(grant.names)})" if grant.names else ""


def _named(grant: Grant, secrets: set[Node]) -> Iterator[Node]:
    """Give the Secrets that a grant names, in its namespace or in any."""
    if grant.namespace:
        yield from (Node(Kind.SECRET, f"{grant.namespace}/{name}") for name in grant.names)
    else:
        wanted = {*grant.names}
        yield from (one for one in secrets if one.name.partition("/")[2] in wanted)


def _subject(subject: Subject) -> Node:
    return Node(_SUBJECTS[subject.kind], subject.name)


def _members(facts: Facts) -> Iterator[Edge]:
    """Say which service accounts are in the groups that Kubernetes puts them in."""
    groups = {
        subject.name
        for grant in (*facts.grants, *(facts.podding or ()))
        for subject in grant.subjects
        if subject.kind == "Group"
    }
    accounts = {*facts.accounts, *(f"{one.namespace}/{one.account}" for one in facts.runs)}
    for account in accounts:
        namespace = account.partition("/")[0]
        for group in (*_EVERYBODY[:1], _ALL_ACCOUNTS, f"{_ALL_ACCOUNTS}:{namespace}"):
            if group in groups:
                yield Edge(Node(Kind.GROUP, group), Node(Kind.ACCOUNT, account), "it is a member")


def _runs(facts: Facts) -> Iterator[Edge]:
    for one in facts.runs:
        workload = Node(Kind.WORKLOAD, f"{one.namespace}/{one.workload}")
        account = Node(Kind.ACCOUNT, f"{one.namespace}/{one.account}")
        yield Edge(account, workload, "its pods run as it", carries=one.token)
        for name in one.secrets:
            yield Edge(Node(Kind.SECRET, f"{one.namespace}/{name}"), workload, "its pods use it")
        for name in one.pulls:
            secret = Node(Kind.SECRET, f"{one.namespace}/{name}")
            yield Edge(secret, workload, "the node pulls its images with it", carries=False)
