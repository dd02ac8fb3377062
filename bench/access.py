"""The access graph of an organisation: how long it takes to make, to ask and to write.

`PYTHONPATH=tools:tests python bench/access.py [APPS ENTRIES PEOPLE]` (default 1000 5000 50; also
a tenth and a half of it, to see whether it grows in a line) makes words of a store with a
recipients file for each 50 entries, of Apps that read five entries each into one Secret, of a
namespace, a binding, an account and two workloads for each App, and of 20 grants in all of the
cluster. It measures each alone, in a process of its own: seconds, and the most memory in MiB.

- build: words → graph; who, what: the mean of 100 questions, the graph's index made before;
- json, mermaid, dot: the whole graph as text, and its size;
- store: who can read a real git repository with so many entries and keys, from its objects.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from applications import RESULTS
from flux_secret.access.assemble import Facts, assemble
from flux_secret.access.graph import Graph, Kind
from flux_secret.access.queries import what, who
from flux_secret.access.rbac import Rights, grants
from flux_secret.access.render import RENDERERS
from flux_secret.model.access import Circle, Holder, Named, Runs, Sealed, StoreAccess, Use
from flux_secret.outside.objects import Commit
from flux_secret.store.readership import Readership
from simulators.gnupg import home
from simulators.repositories import Content, Repository

SIZE: Final = (1000, 5000, 50)
READS: Final = 5
QUESTIONS: Final = 100
PER_FILE: Final = 50
EVERYWHERE: Final = 20
_RBAC: Final = "rbac.authorization.k8s.io"


def facts(apps: int, entries: int, people: int) -> Facts:
    """Make the words of an organisation."""
    holders = [Holder(f"{n:040X}", f"Person {n} <p{n}@example.org>") for n in range(people)]
    circles = [
        Circle(f"team{n}/.gpg-id", tuple(Named(one, f"0x{one.key[-16:]}") for one in holders))
        for n in range(max(1, entries // PER_FILE))
    ]
    names = [f"apps/team{n // PER_FILE}/e{n}" for n in range(entries)]
    sealed = tuple(
        Sealed(name, f"{n:040x}", circles[n // PER_FILE % len(circles)])
        for n, name in enumerate(names)
    )
    uses = tuple(
        Use(f"ns{n}/app", names[(n * READS + at) % entries], (f"ns{n}/secret",), "read")
        for n in range(apps)
        for at in range(READS)
    )
    runs = tuple(
        Runs(f"deployment.apps/{name}", f"ns{n}", "app", ("secret",))
        for n in range(apps)
        for name in ("web", "worker")
    )
    return Facts(
        (StoreAccess("apps", sealed),), uses=uses, asked=True, runs=runs,
        grants=grants(Rights(*rights(apps))), accounts=tuple(f"ns{n}/app" for n in range(apps)),
    )  # fmt: skip


def rights(apps: int) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Make Roles and bindings as the API gives them."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    roles = [
        {"metadata": {"name": "reader", "namespace": f"ns{n}"},
         "rules": [{**rule, "resourceNames": ["secret"]}]}
        for n in range(apps)
    ]  # fmt: skip
    bindings = [
        {"metadata": {"name": "reader", "namespace": f"ns{n}"},
         "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": "reader"},
         "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": f"ns{n}"}]}
        for n in range(apps)
    ]  # fmt: skip
    cluster_roles = [{"metadata": {"name": "all"}, "rules": [rule]}]
    cluster_bindings = [
        {"metadata": {"name": f"b{n}"},
         "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "all"},
         "subjects": [{"kind": "User", "name": f"admin{n}"}]}
        for n in range(EVERYWHERE)
    ]  # fmt: skip
    return roles, cluster_roles, bindings, cluster_bindings


def building(size: tuple[int, int, int]) -> dict[str, float]:
    """Make the graph."""
    words = facts(*size)
    before, begun = _mib(), time.perf_counter()
    graph = assemble(words)
    return {
        "seconds": time.perf_counter() - begun, "mib": _mib() - before,
        "nodes": len(graph.nodes), "edges": len(graph.edges),
    }  # fmt: skip


def asking(
    ask: Callable[[Graph, int], object],
) -> Callable[[tuple[int, int, int]], dict[str, float]]:
    """Ask a hundred questions."""

    def measured(size: tuple[int, int, int]) -> dict[str, float]:
        graph = assemble(facts(*size))
        ask(graph, 0)
        begun = time.perf_counter()
        for n in range(QUESTIONS):
            ask(graph, n)
        return {"seconds": (time.perf_counter() - begun) / QUESTIONS}

    return measured


def _who(graph: Graph, n: int) -> None:
    entries = [node.name for node in graph.nodes if node.kind is Kind.ENTRY]
    assert who(graph, entries[n * 37 % len(entries)]).people


def _what(graph: Graph, n: int) -> None:
    people = [node.name for node in graph.nodes if node.kind is Kind.PERSON]
    assert what(graph, people[n % len(people)])[0].entries


def writing(form: str) -> Callable[[tuple[int, int, int]], dict[str, float]]:
    """Write the whole graph."""

    def measured(size: tuple[int, int, int]) -> dict[str, float]:
        graph = assemble(facts(*size))
        before, begun = _mib(), time.perf_counter()
        text = RENDERERS[form](graph)
        seconds = time.perf_counter() - begun
        return {"seconds": seconds, "mib": _mib() - before, "bytes": len(text)}

    return measured


def reading(size: tuple[int, int, int]) -> dict[str, float]:
    """Read a real store: messages of one size for each recipient, and exported keys."""
    _, entries, people = size
    with home() as gnupg, tempfile.TemporaryDirectory() as place:
        emails = [f"p{n}@example.org" for n in range(people)]
        for email in emails:
            gnupg.curve25519(email)
        ids = [f"0x{gnupg.fingerprint(email)[-16:]}" for email in emails]
        message = gnupg.encrypt(b"value\n", emails)
        files: dict[str, Content] = {
            f".public-keys/{one}": gnupg.public_key(email)
            for one, email in zip(ids, emails, strict=True)
        }
        files[".gpg-id"] = "\n".join(ids) + "\n"
        # The end of each differs, as ciphertexts do; nobody decrypts it here.
        files |= {
            f"team{n // PER_FILE}/e{n}.gpg": message[:-4] + n.to_bytes(4) for n in range(entries)
        }
        store = Repository.create(Path(place) / "store", files)
        before, begun = _mib(), time.perf_counter()
        access = Readership(Commit(store.path / ".git", store.head)).access("apps")
        seconds = time.perf_counter() - begun
        assert len(access.sealed) == entries
        assert len(access.sealed[0].readers) == people
        return {"seconds": seconds, "mib": _mib() - before}


STEPS: Final[dict[str, Callable[[tuple[int, int, int]], dict[str, float]]]] = {
    "build": building, "who": asking(_who), "what": asking(_what), "json": writing("json"),
    "mermaid": writing("mermaid"), "dot": writing("dot"), "store": reading,
}  # fmt: skip


def _mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _child(step: str, size: tuple[int, int, int], answer: Connection) -> None:
    answer.send({**STEPS[step](size), "peak_mib": _mib()})


def measured(step: str, size: tuple[int, int, int]) -> dict[str, float]:
    """Measure one step in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_child, args=(step, size, theirs))
    child.start()
    found: dict[str, float] = ours.recv()
    child.join()
    return found


def main() -> None:
    """Print a table, and write JSON."""
    given = tuple(map(int, sys.argv[1:4]))
    apps, entries, people = given if len(given) == len(SIZE) else SIZE
    sizes = [(apps // part, entries // part, people) for part in (10, 2, 1)]
    results = []
    print(f"{'apps':>6} {'entries':>8} {'people':>7}  {'step':8} {'seconds':>9} {'peak MiB':>9}")
    for size in sizes:
        for step in STEPS:
            found = measured(step, size)
            results.append({"size": size, "step": step, **found})
            more = " ".join(
                f"{name}={found[name]:.0f}" for name in ("nodes", "edges", "bytes") if name in found
            )
            seconds, peak = found["seconds"], found["peak_mib"]
            head = f"{size[0]:6} {size[1]:8} {size[2]:7}"
            print(f"{head}  {step:8} {seconds:9.4f} {peak:9.1f}  {more}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "access.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
