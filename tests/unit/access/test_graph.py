"""A way through the graph is there exactly when somebody can come to a value by the facts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flux_secret.access.assemble import Facts, assemble, person_of
from flux_secret.access.graph import Edge, Graph, Kind, Node, Reached
from flux_secret.access.rbac import Grant, Subject
from flux_secret.model.access import (
    Answering,
    Circle,
    Holder,
    Named,
    Runs,
    Sealed,
    StoreAccess,
    Use,
)

ENTRIES = [f"apps/e{number}" for number in range(4)]
HOLDERS = [Holder(f"F{number}", f"P <p{number}@example.org>") for number in range(4)]
SECRETS = [f"{place}/{name}" for place in ("n1", "n2") for name in ("s1", "s2")]
SUBJECTS = [Subject("User", "u"), Subject("ServiceAccount", "n1/a"), Subject("Group", "g")]
READ = ("get",)


def circles() -> st.SearchStrategy[list[Circle]]:
    def circle(number: int, who: list[Holder]) -> Circle:
        return Circle(f"f{number}/.gpg-id", tuple(Named(one, one.key) for one in who))

    held = st.lists(st.sampled_from(HOLDERS), unique=True)
    return st.tuples(held, held).map(lambda both: [circle(n, who) for n, who in enumerate(both)])


@st.composite
def worlds(draw: st.DrawFn) -> Facts:
    around = draw(circles())
    sealed = tuple(
        Sealed(
            name, "b", draw(st.sampled_from(around)),
            tuple(draw(st.lists(st.sampled_from(HOLDERS), unique=True, max_size=2))),
        )
        for name in ENTRIES
    )  # fmt: skip
    secrets = st.lists(st.sampled_from(SECRETS), unique=True, max_size=3).map(tuple)
    uses = draw(
        st.lists(
            st.builds(
                Use, st.sampled_from(["n1/app", "n2/app"]), st.sampled_from(ENTRIES), secrets,
                st.just("read"), st.booleans(),
            ),
            max_size=6,
        )
    )  # fmt: skip
    names = st.lists(st.sampled_from(["s1", "s2"]), unique=True, max_size=1).map(tuple)
    given_ = st.lists(
        st.builds(
            Grant, st.integers(0, 99).map(lambda n: f"RoleBinding b{n}"), st.just("Role r"),
            st.sampled_from(["", "n1", "n2"]), names, st.just(READ),
            st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True).map(tuple),
        ),
        max_size=4, unique_by=lambda one: one.binding,
    )  # fmt: skip
    runs = st.lists(
        st.builds(
            Runs, st.sampled_from(["deployment.apps/d", "statefulset.apps/d"]),
            st.sampled_from(["n1", "n2"]), st.just("a"), names, st.just(()), st.booleans(),
        ),
        max_size=3, unique_by=lambda one: (one.workload, one.namespace),
    )  # fmt: skip
    return Facts(
        (StoreAccess("apps", sealed),), uses=tuple(uses), asked=True,
        grants=tuple(draw(given_)), runs=tuple(draw(runs)),
    )  # fmt: skip


def naive_people(facts: Facts, entry: str) -> set[str]:
    (one,) = [one for one in facts.stores[0].sealed if one.entry == entry]
    return {holder.key for holder in one.readers}


def naive_cluster(facts: Facts, entry: str) -> set[Node]:
    """Ask of each fact by itself, over and over, until nothing is new."""
    secrets = {
        secret for use in facts.uses if use.entry == entry for secret in use.secrets
    } | {
        secret
        for use in facts.uses
        for other in facts.uses
        if use.entry == entry and not use.certain and use.secrets
        and other.app == use.app and not other.certain
        for secret in other.secrets
    }  # fmt: skip
    found = {Node(Kind.SECRET, secret) for secret in secrets}
    found |= {Node(Kind.APP, use.app) for use in facts.uses if use.entry == entry}
    for secret in secrets:
        found.add(Node(Kind.GROUP, "system:masters"))
        namespace, _, name = secret.partition("/")
        for grant in facts.grants:
            if grant.covers(namespace, name):
                kinds = {"User": Kind.USER, "Group": Kind.GROUP, "ServiceAccount": Kind.ACCOUNT}
                found |= {Node(kinds[one.kind], one.name) for one in grant.subjects}
        for runs in facts.runs:
            if runs.namespace == namespace and name in runs.secrets:
                found.add(Node(Kind.WORKLOAD, f"{namespace}/{runs.workload}"))
    for runs in facts.runs:
        if Node(Kind.ACCOUNT, f"{runs.namespace}/{runs.account}") in found and runs.token:
            found.add(Node(Kind.WORKLOAD, f"{runs.namespace}/{runs.workload}"))
    return found


def way_is_whole(reached: Reached, graph: Graph) -> bool:
    chained = all(one.target == next_.source for one, next_ in pairwise(reached.way))
    return (
        bool(reached.way)
        and chained
        and all(edge in graph.edges and edge.carries for edge in reached.way)
    )


@given(worlds())
def test_a_way_is_there_exactly_when_the_facts_say_so(facts: Facts) -> None:
    graph = assemble(facts)
    between = {Kind.PLACE, Kind.GRANT, Kind.BUNDLE}
    for entry in ENTRIES:
        node = Node(Kind.ENTRY, entry)
        above, below = graph.above(node), graph.below(node)
        assert {one.node.name for one in above if one.node.kind is Kind.KEY} == naive_people(
            facts, entry
        )
        cluster = {one.node for one in below if one.node.kind not in between}
        assert cluster == naive_cluster(facts, entry)
        assert all(way_is_whole(one, graph) for one in (*above, *below))
        assert all(one.way[-1].target == node for one in above)
        assert all(one.way[0].source == node for one in below)


@given(worlds())
def test_the_graph_does_not_depend_on_the_order_of_facts(facts: Facts) -> None:
    turned = Facts(
        facts.stores, uses=facts.uses[::-1], asked=True,
        grants=facts.grants[::-1], runs=facts.runs[::-1],
    )  # fmt: skip
    assert assemble(turned).edges == assemble(facts).edges
    assert assemble(turned).nodes == assemble(facts).nodes


def test_edges_are_as_few_as_facts() -> None:
    """Fifty who read a thousand entries are 1,050 edges and no product, and so are grants."""
    circle = Circle(".gpg-id", tuple(Named(Holder(f"F{n}"), f"F{n}") for n in range(50)))
    sealed = tuple(Sealed(f"e{n}", "b", circle) for n in range(1000))
    uses = tuple(Use("n/app", f"e{n}", (f"n/s{n}",), "read") for n in range(1000))
    subjects = tuple(Subject("User", f"u{n}") for n in range(50))
    grants = (Grant("ClusterRoleBinding b", "ClusterRole r", "", (), READ, subjects),)
    facts = Facts((StoreAccess("", sealed),), uses=uses, asked=True, grants=grants)
    assert len(assemble(facts).edges) < 6_000


def test_whom_the_message_names_beside_the_file_and_whom_it_hides_can_read() -> None:
    sealed = Sealed("e", "b", Circle(".gpg-id"), (HOLDERS[0],), hidden=2)
    graph = assemble(Facts((StoreAccess("", (sealed,)),)))
    found = {one.node for one in graph.above(Node(Kind.ENTRY, "e"))}
    assert found == {
        Node(Kind.KEY, "F0"), Node(Kind.PERSON, "p0@example.org"), Node(Kind.KEY, "hidden in e"),
    }  # fmt: skip


def test_who_answers_carries_no_value() -> None:
    sealed = Sealed("e", "b", Circle(".gpg-id"))
    facts = Facts((StoreAccess("", (sealed,)),), owners=(Answering("e", "alice", "demo/prod"),))
    graph, entry = assemble(facts), Node(Kind.ENTRY, "e")
    assert graph.above(entry) == []
    assert [edge.source.name for edge in graph.about(entry)] == ["alice"]


def test_who_may_read_an_agents_key_can_come_to_what_it_opens() -> None:
    sealed = Sealed("e", "b", Circle(".gpg-id"))
    use = Use("n/app", "e", ("n/s",), "read")
    grant = Grant("RoleBinding flux/b", "Role flux/r", "flux", (), READ, (Subject("User", "eve"),))
    facts = Facts(
        (StoreAccess("", (sealed,)),), uses=(use,), asked=True, grants=(grant,),
        agents=("flux/flux-gpg-keys",),
    )  # fmt: skip
    below = assemble(facts).below(Node(Kind.ENTRY, "e"))
    assert Node(Kind.USER, "eve") in {one.node for one in below}


def test_a_member_of_a_group_that_may_read_can_read() -> None:
    group = Subject("Group", "system:serviceaccounts:n")
    facts = Facts(
        uses=(Use("n/app", "e", ("n/s",), "read"),), asked=True, accounts=("n/a", "other/a"),
        grants=(Grant("RoleBinding n/b", "Role n/r", "n", (), READ, (group,)),),
    )  # fmt: skip
    found = {one.node for one in assemble(facts).below(Node(Kind.ENTRY, "e"))}
    assert Node(Kind.ACCOUNT, "n/a") in found
    assert Node(Kind.ACCOUNT, "other/a") not in found


def test_what_nobody_looked_at_is_said() -> None:
    alone, asked = assemble(Facts()), assemble(Facts(asked=True))
    assert any("was not asked" in one for one in alone.unseen)
    assert any("gopass" in one for one in alone.unseen)
    said = " ".join(asked.unseen)
    assert all(word in said for word in ("gopass", "cluster-admins", "nodes", "etcd"))


def test_a_person_is_the_address_that_a_key_names() -> None:
    assert person_of(Holder("F", "Alice A. <Alice@Example.org>")) == Node(
        Kind.PERSON, "alice@example.org"
    )
    assert person_of(Holder("F", "Alice")) == Node(Kind.PERSON, "Alice")
    assert person_of(Holder("F")) is None
    assert person_of(Holder("0xAB", "a key that the store does not keep")) is None


def test_a_graph_keeps_each_edge_once() -> None:
    one, other = Node(Kind.KEY, "k"), Node(Kind.ENTRY, "e")
    graph = Graph.of([Edge(one, other, "x"), Edge(one, other, "x")])
    assert len(graph.edges) == 1


def test_who_may_start_pods_can_come_to_every_secret_of_the_place() -> None:
    eve = (Subject("User", "eve"),)
    pods = (Grant("RoleBinding n/b", "Role n/r", "n", (), ("start pods",), eve),)
    uses = tuple(Use("app", place, (f"{place}/s",), "read") for place in ("n", "other"))
    facts = Facts(uses=uses, asked=True, podding=pods)
    reached = {
        place: {one.node.name for one in assemble(facts).below(Node(Kind.ENTRY, place))}
        for place in ("n", "other")
    }
    assert [("eve" in reached[place]) for place in ("n", "other")] == [True, False]
    assert not any("--through-pods" in one for one in assemble(facts).unseen)
    assert any("--through-pods" in one for one in assemble(Facts(asked=True)).unseen)


def test_an_owner_reads_with_the_key_that_the_owners_file_names() -> None:
    sealed = Sealed("e", "b", Circle(".gpg-id", (Named(HOLDERS[0], "F0"),)))
    keys = (("alice", "F0"), ("bob", "a key that only signs"))
    graph = assemble(Facts((StoreAccess("", (sealed,)),), keys=keys))
    people = {one.node.name for one in graph.above(Node(Kind.ENTRY, "e"))}
    assert ("alice" in people, "bob" in people) == (True, False)


def test_whom_the_owners_refuse_is_no_reader_and_its_secrets_still_hold_what_it_read() -> None:
    stores = (StoreAccess("", (Sealed("e", "b", Circle(".gpg-id")),)),)
    use, other = (Use(f"n/{app}", "e", (f"n/{app}-s",), "read", target=f"n/{app}")
                  for app in ("app", "other"))  # fmt: skip
    why = "its owners let shop-* read it"
    graph = assemble(Facts(stores, uses=(use, other), refused={use: why}))
    below = {one.node for one in graph.below(Node(Kind.ENTRY, "e"))}
    assert below == {
        Node(Kind.APP, "n/other"), Node(Kind.SECRET, "n/app-s"), Node(Kind.SECRET, "n/other-s"),
    }  # fmt: skip
    (said,) = [edge.why for edge in graph.about(Node(Kind.ENTRY, "e"))]
    assert said.startswith(f"n/app may not read it any more: {why}; ")
    assert graph.above(Node(Kind.APP, "n/app")) == []


def test_what_is_only_written_may_be_delivered_under_another_name() -> None:
    stores = (StoreAccess("", (Sealed("e", "b", Circle(".gpg-id")),)),)
    use = Use("base", "e", (), "written in x, line 1")
    graph = assemble(Facts(stores, uses=(use,), refused={use: "its owners let shop-* read it"}))
    (reached,) = graph.below(Node(Kind.ENTRY, "e"))
    assert reached.node == Node(Kind.APP, "base")
    assert "if it is delivered under such a name" in reached.way[0].why
