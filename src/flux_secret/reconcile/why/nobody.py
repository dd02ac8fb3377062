"""A subject that no target concerns → its chain: it begins with a link that is missing. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from flux_secret.model.names import ObjectKey
from flux_secret.model.why import Chain, Link, LinkKind, Place, State
from flux_secret.reconcile.why.seen import EntryFacts
from flux_secret.reconcile.why.subject import Subject

_NOT_FOUND = 3
"""As for a path that a repository does not have."""
_NEAR = 3  # names


def nobody(
    subject: Subject,
    targets: list[str],
    facts: EntryFacts | None,
    made: Collection[ObjectKey] = (),
) -> Chain:
    """Say that nothing asks for an entry, or makes an object; `made` are those that are."""
    looked = ", ".join(targets) or "none"
    what = "asks for it" if subject.entry else "makes it"
    missing = Link(
        LinkKind.FILE, subject.text, State.BROKEN,
        reason=f"no application that was looked at {what}; looked at: {looked}",
        remedy=_alike(subject, made) or "check the name; a name that a script puts together is "
        "seen only once it is asked for",
        exit_code=_NOT_FOUND,
    )  # fmt: skip
    links = [missing]
    if facts is not None and facts.file:
        place = Place(facts.store, facts.commit, facts.file, touched=facts.touched)
        where = Place(facts.store, facts.commit, facts.recipients_file)
        links += [
            Link(LinkKind.ENTRY, str(facts.path), place=place, reason="it is in the store"),
            Link(LinkKind.RECIPIENTS, str(facts.path), place=where,
                 reason=", ".join(facts.wanted)),
        ]  # fmt: skip
    elif facts is not None:
        near = f"; like it: {', '.join(facts.near)}" if facts.near else ""
        links.append(Link(
            LinkKind.ENTRY, str(facts.path), State.UNSEEN, reason=f"no store has it{near}",
        ))  # fmt: skip
    return Chain(subject.text, "", tuple(links))


def _alike(subject: Subject, made: Collection[ObjectKey]) -> str:
    """Say which objects are called alike; empty for none."""
    if not subject.kind:
        return ""
    said: dict[str, list[str]] = {}
    for key in sorted(made):
        said.setdefault(str(key), []).append(key.long)
    near = difflib.get_close_matches(f"{subject.kind}/{subject.name}", said, _NEAR)
    names = [long for one in near for long in said[one][:_NEAR]]
    return f"did you mean {', or '.join(names)}?" if names else ""
