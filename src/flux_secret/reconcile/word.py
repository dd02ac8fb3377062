"""What one replica says to the others ⇄ the text of an annotation of its Lease. Pure.

Other replicas wrote what is read here, and whoever may write Leases in the agent's namespace: what
is too long, or not understood, counts as nothing said.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flux_secret.api.interface import SyncOutcome, TargetOutcome

EVERYTHING: Final = "*"
"""The mark of all repositories."""
MAX_MARKS: Final = 64
"""Repositories that are named at once; more are everything."""
MAX_TOKENS: Final = 100
"""Tokens of held changes that one sync passes on; the API takes as many."""
MAX_TEXT: Final = 64 * 1024
"""Characters of an annotation; Kubernetes takes 256 KiB of all of an object's."""
MAX_ANSWERS: Final = 32 * 1024
"""Characters of all answers together."""
_SHORT: Final = 300  # characters of an error where the whole does not fit
_MARK: Final = re.compile(r"[0-9a-f]{16}|\*")
_TOKEN: Final = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class Ask:
    """A sync that the others are asked for."""

    number: int
    confirmed: frozenset[str] = frozenset()
    """Tokens of held changes that it may make."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a sync ended that another one asked for."""

    number: int
    outcome: SyncOutcome


@dataclass(frozen=True, slots=True)
class Word:
    """Everything that a replica says now."""

    hints: Mapping[str, int] = field(default_factory=dict)
    """Marks of repositories that may have a new commit, each with the number of its last hint."""
    ask: Ask | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """By who asked."""

    def text(self) -> str:
        """Give the annotation; its answers are cut to what fits."""
        tree: dict[str, Any] = {}
        if self.hints:
            tree["hints"] = dict(self.hints)
        if self.ask is not None:
            confirmed = sorted(self.ask.confirmed)[:MAX_TOKENS]
            tree["sync"] = {"number": self.ask.number, "confirm": confirmed}
        if self.answers:
            each = MAX_ANSWERS // len(self.answers)
            tree["answers"] = {
                who: {"number": one.number, "outcome": _fitting(one.outcome, each)}
                for who, one in self.answers.items()
            }
        return json.dumps(tree, separators=(",", ":"))


def mark(address: str) -> str:
    """Give what stands for a repository: short, and says nothing of its address."""
    return hashlib.blake2b(address.encode(), digest_size=8).hexdigest()


def understood(untrusted_text: str) -> Word | None:
    """Read an annotation; None for what no replica of this version writes."""
    if not untrusted_text or len(untrusted_text) > MAX_TEXT:
        return None
    try:
        tree = json.loads(untrusted_text)
    except (ValueError, RecursionError):
        return None
    return _word(tree) if isinstance(tree, dict) else None


def _word(tree: Mapping[str, Any]) -> Word:
    hints = {
        one: number
        for one, number in list(_mapping(tree.get("hints")).items())[:MAX_MARKS]
        if _MARK.fullmatch(one) and _is_number(number)
    }
    answers = {who: _answer(one) for who, one in _mapping(tree.get("answers")).items()}
    return Word(
        hints,
        _ask(_mapping(tree.get("sync"))),
        {who: one for who, one in answers.items() if one is not None},
    )


def _ask(tree: Mapping[str, Any]) -> Ask | None:
    number, tokens = tree.get("number"), tree.get("confirm", [])
    if not _is_number(number) or not isinstance(tokens, list) or len(tokens) > MAX_TOKENS:
        return None
    if not all(isinstance(one, str) and _TOKEN.fullmatch(one) for one in tokens):
        return None
    return Ask(int(str(number)), frozenset(tokens))


def _answer(untrusted: Any) -> Answer | None:  # noqa: ANN401 -- any JSON
    tree = _mapping(untrusted)
    outcome = _mapping(tree.get("outcome"))
    number, code = tree.get("number"), outcome.get("exit_code")
    listed = outcome.get("targets", [])
    if not _is_number(number) or not _is_number(code) or not isinstance(listed, list):
        return None
    return Answer(
        int(str(number)),
        SyncOutcome(
            exit_code=int(str(code)),
            commit=_text(outcome.get("commit")),
            targets=[_target(_mapping(one)) for one in listed],
            error=_text(outcome.get("error")),
            head=_text(outcome.get("head")),
        ),
    )


def _target(tree: Mapping[str, Any]) -> TargetOutcome:
    return TargetOutcome(
        target=_text(tree.get("target")),
        revision=_text(tree.get("revision")),
        error=_text(tree.get("error")),
        changes=_texts(tree.get("changes")),
        notes=_texts(tree.get("notes")),
        removed=tree.get("removed") is True,
    )


def _fitting(outcome: SyncOutcome, most: int) -> Mapping[str, Any]:
    """Give as much of an outcome as fits: first changes are left out, then texts are cut."""
    shorter = [
        outcome,
        dataclasses.replace(outcome, targets=[_without_changes(one) for one in outcome.targets]),
        dataclasses.replace(
            outcome,
            error=outcome.error[:_SHORT],
            targets=[_shortened(one) for one in outcome.targets],
        ),
    ]
    few: Sequence[TargetOutcome] = shorter[-1].targets
    while few:  # errors first, since they are what a person must know
        few = sorted(few, key=lambda one: not one.error)[: len(few) // 2]
        left_out = len(outcome.targets) - len(few)
        more = TargetOutcome(f"{left_out} more", "", notes=["its replica's log says how"])
        shorter.append(dataclasses.replace(shorter[2], targets=[*few, more]))
    trees = [dataclasses.asdict(one) for one in shorter]
    return next((one for one in trees if len(json.dumps(one)) <= most), trees[-1])


def _without_changes(one: TargetOutcome) -> TargetOutcome:
    return dataclasses.replace(one, changes=())


def _shortened(one: TargetOutcome) -> TargetOutcome:
    notes = [note[:_SHORT] for note in one.notes[:3]]
    return dataclasses.replace(one, error=one.error[:_SHORT], changes=(), notes=notes)


def _mapping(tree: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- any JSON
    return tree if isinstance(tree, dict) else {}


def _text(tree: Any) -> str:  # noqa: ANN401 -- any JSON
    return tree if isinstance(tree, str) else ""


def _texts(tree: Any) -> Sequence[str]:  # noqa: ANN401 -- any JSON
    return [one for one in tree if isinstance(one, str)] if isinstance(tree, list) else ()


def _is_number(tree: Any) -> bool:  # noqa: ANN401 -- any JSON
    return isinstance(tree, int) and not isinstance(tree, bool) and 0 <= tree < 2**53
