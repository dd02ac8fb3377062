"""Which of what was read the owners' rules refuse now, by the App's name and the cluster's."""

from __future__ import annotations

import pytest

from flux_secret.model.access import Use
from flux_secret.model.owners import Owners, Rule
from flux_secret.wiring.refusals import nameless, refused

OWNERS = Owners({}, (
    Rule("", (), apps=("dev/*",)), Rule("free", ()), Rule("none", (), apps=()),
    Rule("prod", (), apps=("prod/*",), clusters=("prod", "eu-*")),
))  # fmt: skip
RULES = {"apps": OWNERS, "apps/inner": Owners({}, (Rule("", (), apps=("x",)),))}


@pytest.mark.parametrize(
    ("target", "entry", "cluster", "why"),
    [
        ("dev/a", "apps/db", "", ""),
        ("prod/a", "apps/db", "", "its owners let dev/* read it"),
        ("prod/a", "apps/free/db", "", ""),
        ("dev/a", "apps/none", "", "its owners let nobody read it"),
        ("prod/a", "apps/prod/db", "eu-1", ""),
        ("prod/a", "apps/prod/db", "", ""),
        ("dev/a", "apps/prod/db", "", "its owners let prod/* read it"),
        ("prod/a", "apps/prod/db", "test",
         "its owners let clusters prod, eu-* read it, and this one is 'test'"),
        ("dev/a", "apps/inner/prod", "", "its owners let x read it"),
        ("dev/a", "other/db", "", ""),
        ("", "apps/db", "", "its owners let dev/* read it"),
    ],
)  # fmt: skip
def test_the_nearest_rule_of_the_entrys_own_store_counts(
    target: str, entry: str, cluster: str, why: str
) -> None:
    use = Use("shown", entry, (), "read", target=target)
    assert refused([use], RULES, cluster) == ({use: why} if why else {})


def test_a_store_without_a_name_has_what_no_other_has() -> None:
    use = Use("a", "prod/db", (), "read", target="dev/a")
    assert refused([use], {"": OWNERS}, "") == {use: "its owners let prod/* read it"}


def test_where_it_depends_on_the_clusters_name_that_is_said_once() -> None:
    uses = [Use("a", entry, (), "read") for entry in ("apps/prod/db", "apps/prod/db", "apps/db")]
    (said,) = nameless(uses, RULES)
    assert said.startswith("the owners of apps/prod/db let only these clusters read it: prod, eu-*")
    assert said.endswith("--cluster-name NAME")
