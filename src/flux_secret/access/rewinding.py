"""A head that does not contain what was delivered → whether owners have accepted it.

Each prefix that was approved needs as many of its owners as for a change, whether its content
differs or not: with the branch, what was used up comes back, and could be used again. They sign one
commit instead of one other, so that the same way back is not open twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flux_secret.access.approvals import Mark, Verdict, agreed
from flux_secret.access.interface import History, Signatures
from flux_secret.access.judging import Judging
from flux_secret.errors import ConfigurationError
from flux_secret.model.approval import SSH_NAMESPACE, Approval, Purpose, State


@dataclass(frozen=True, slots=True)
class Rewind:
    """Whether a head may take the place of one that it does not contain."""

    commit: str
    """The accepted one, which the head contains; the head itself when none is."""
    verdicts: tuple[Verdict, ...]
    """Of every prefix whose owners have not agreed."""
    states: Mapping[str, State]
    """What the next judgement starts from when it is accepted."""

    @property
    def is_accepted(self) -> bool:
        """Whether all who have to agree do."""
        return not self.verdicts


class Rewinding:
    """Judges heads that do not contain what was delivered."""

    def __init__(self, history: History, signatures: Signatures, judging: Judging) -> None:
        self._history = history
        self._signatures = signatures
        self._judging = judging

    async def judge(
        self, old: str, head: str, states: Mapping[str, State], approvals: Sequence[Approval]
    ) -> Rewind:
        """Say whether `head` is accepted instead of `old`, which was delivered.

        The objects of both have to be there, and those of each of `states`.
        """
        offered = [
            one
            for one in approvals
            if one.statement.purpose is Purpose.REWIND
            and one.statement.old is not None
            and one.statement.old.commit == old
            and self._history.leads_to(one.statement.new.commit, head)
        ]
        best: Rewind | None = None
        for commit in dict.fromkeys([head, *(one.statement.new.commit for one in offered)]):
            rewind = await self._to(old, commit, states, offered)
            if rewind.is_accepted:
                return rewind
            best = best or rewind
        return best or Rewind(head, (), states)

    def before(self, old: str, prefix: str, state: State) -> State:
        """Give what is agreed to leave: where it cannot be read, what was approved by then.

        Else whoever pushed an owners file that is no YAML would have made going back impossible.
        """
        try:
            return State(old, self._judging.content(old, prefix))
        except ConfigurationError:
            return State(old, state.content)

    async def _to(
        self, old: str, commit: str, states: Mapping[str, State], offered: Sequence[Approval]
    ) -> Rewind:
        verdicts = []
        try:
            new = {one: State(commit, self._judging.content(commit, one)) for one in states}
            then = {one: self.before(old, one, state) for one, state in states.items()}
        except ConfigurationError as error:  # nobody can agree to what cannot be read
            return Rewind(commit, tuple(_unreadable(states, error.what)), states)
        for prefix, state in states.items():
            before = then[prefix]
            marks = []
            for approval in offered:
                one = approval.statement
                if (one.prefix, one.old, one.new) == (prefix, before, new[prefix]):
                    signer = await self._signatures.check(
                        one.encode(), approval.signature, SSH_NAMESPACE
                    )
                    marks.append(Mark(before.content, one.new, signer.key, signer.problem))
            owners = self._judging.owners(state.commit)
            verdict = agreed(prefix, (state, new[prefix]), marks, owners)
            if verdict.needed:
                verdicts.append(verdict)
        return Rewind(commit, tuple(verdicts), new)


def _unreadable(states: Mapping[str, State], why: str) -> Iterator[Verdict]:
    for prefix, state in states.items():
        yield Verdict(prefix, state, None, problem=why)
