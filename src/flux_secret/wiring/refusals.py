"""What Apps read, and the owners' rules of stores → which of it the rules refuse now.

The rules are those of the newest commit, as everything else in the access graph is: whether owners
have agreed to it is asked by `owners check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flux_secret.model.access import Use
from flux_secret.model.owners import Owners, Rule
from flux_secret.store.owned import ReadRule

Rules = Mapping[str, Owners]
"""By the name of the store; empty for the one without a name."""


def refused(uses: Iterable[Use], rules: Rules, cluster: str) -> Mapping[Use, str]:
    """Say why; without a cluster's name only rules about Apps count."""
    found = {}
    for use in uses:
        rule = _rule(use, rules)
        if rule is not None:
            reads = ReadRule(rule.prefix, rule.apps, rule.clusters if cluster else None)
            if why := reads.refuses(use.target or use.app, cluster):
                found[use] = why
    return found


def nameless(uses: Iterable[Use], rules: Rules) -> Iterator[str]:
    """Say where it depends on the cluster's name, which nobody told."""
    said = {
        (use.entry, ", ".join(rule.clusters) or "none")
        for use in uses
        if (rule := _rule(use, rules)) is not None and rule.clusters is not None
    }
    for entry, clusters in sorted(said):
        yield (
            f"the owners of {entry} let only these clusters read it: {clusters}; whether this is "
            "one, nobody said: --cluster-name NAME"
        )


def _rule(use: Use, rules: Rules) -> Rule | None:
    """Give the rule that counts; the longest name of a store that an entry begins with is its."""
    store = use.entry
    while store and store not in rules:
        store = store.rpartition("/")[0]
    if store not in rules:
        return None
    return rules[store].rule(use.entry.removeprefix(f"{store}/" if store else ""))
