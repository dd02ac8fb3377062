"""A rule of an owners file → words for people."""

from __future__ import annotations

from typing import Final

from flux_secret.model.owners import Rule

_DAY: Final = 86_400  # seconds


def age_of(rule: Rule) -> str:
    """Say after how long a value is too old: `90d`; empty when never."""
    seconds = rule.rotate_every
    if seconds is None:
        return ""
    return f"{seconds // _DAY}d" if seconds % _DAY == 0 else f"{seconds}s"


def readers_of(rule: Rule) -> str:
    """Say which Apps and clusters may read; empty for all."""
    given = (("apps", rule.apps), ("clusters", rule.clusters))
    return "; ".join(
        f"{noun} {', '.join(names) or 'none'}" for noun, names in given if names is not None
    )


def other_rule(old: Rule | None, new: Rule | None) -> str:
    """Say how a rule differs: `1 of alice; read by apps a → 2 of alice, bob; read by apps *`.

    What is the same in both is left out, but for who answers.
    """
    sides = [_extras(one) for one in (old, new)]
    return " → ".join(
        "; ".join([_who(one), *(text for text in said if text not in sides[1 - at])])
        for at, (one, said) in enumerate(zip((old, new), sides, strict=True))
    )


def _who(rule: Rule | None) -> str:
    return f"{rule.approvals} of {', '.join(rule.owners)}" if rule else "nobody"


def _extras(rule: Rule | None) -> list[str]:
    if rule is None:
        return []
    given = (
        ("read by", readers_of(rule)), ("rotated every", age_of(rule)), ("contact", rule.contact),
    )  # fmt: skip
    return [f"{words} {what}" for words, what in given if what]
