"""A person's store → what of it waits for its owners, and a signature of theirs.

What was approved is found as an agent finds it after it lost its memory: from a commit that is
trusted on, by signatures alone. Unless a person names that commit, it is the one that brought the
owners file in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from flux_secret.access.approvals import Verdict
from flux_secret.access.judging import Judgement
from flux_secret.errors import AccessError, ConfigurationError, KeyFileError
from flux_secret.model.approval import SSH_NAMESPACE, Approval, Purpose, State, Statement
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.model.owners import OWNERS_FILE, Owner, Owners
from flux_secret.outside.git.approvals import get_approvals, keep_approval, push_approvals
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.remote import Remote
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.sshkeygen import SshKeygen
from flux_secret.settings.person import PersonSettings
from flux_secret.store.working.store import WorkingStore
from flux_secret.wiring.approving import Bench, bench

SINCE: Final = "flux-secret.trusted-commit"
"""In a clone's git configuration: the commit that a person trusts."""


@dataclass(frozen=True, slots=True)
class Pen:
    """A key that a person can sign with."""

    key: OwnerKey
    sign: Callable[[bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Owning:
    """One store, looked at for its owners."""

    store: WorkingStore
    clone: Clone
    settings: PersonSettings
    head: str
    remote: Remote | None
    """None where the store is shared with no host, or the person is offline."""
    keyring: Keyring

    @classmethod
    async def of(
        cls, store: WorkingStore, settings: PersonSettings, *, offline: bool = False
    ) -> Owning:
        """Open it, and get the approvals of its host."""
        clone = store.clone
        head = await clone.head() if clone else None
        if clone is None or head is None:
            raise ConfigurationError(
                f"{store.place('')} has no commit: nothing can be approved",
                remedy=f"git init in {store.folder.root}, and commit it",
            )
        remote = None if offline else await Remote.of(clone)
        if remote is not None:
            await get_approvals(remote)
        gpg = Gpg(path=settings.tool_path, home=settings.gnupg_home, terminal=settings.pinentry_env)
        return cls(store, clone, settings, head, remote, Keyring(gpg))

    async def refuse_behind(self) -> None:
        """Raise when the host has other commits: what is approved would not be what is there."""
        theirs = await self.remote.fetch() if self.remote else None
        if theirs is not None and theirs != self.head:
            raise ConfigurationError(
                f"{self.store.place('')} is not what its host has",
                remedy="bring them together first: flux-secret store sync",
            )

    def bench(self, head: str = "") -> Bench:
        """Connect what judges it: with the store's keys only, as an agent knows no others."""
        return bench(self.clone.git_dir, head or self.head, path=self.settings.tool_path)

    async def trusted(self, used: Bench, since: str | None = None, head: str = "") -> str | None:
        """Give the commit that is trusted; None in a store without owners."""
        git, root = self.clone.git, self.clone.folder.root
        named = since or await git.ask(root, "config", "--get", SINCE)
        if named is None:
            return next(used.judging.introduced(head or self.head), None)
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{named}^{{commit}}")
        found = await git.ask(root, *words)
        if found is None:
            raise ConfigurationError(
                f"{ascii(named)[1:-1]} is no commit of {root}",
                remedy=f"name one with --since, or: git -C {root} config {SINCE} COMMIT",
            )
        return found

    async def judged(self, used: Bench, since: str | None = None) -> Judgement:
        """Say what of the head counts."""
        trusted = await self.trusted(used, since)
        states = used.judging.anchored(self.head, trusted) if trusted else {}
        return await used.judging.judge(self.head, states, used.approvals)

    async def agreed(self, used: Bench, old: str) -> Mapping[str, State]:
        """Give what owners had agreed to when a commit was delivered, as agents remember it."""
        trusted = await self.trusted(used, head=old)
        states = used.judging.anchored(old, trusted) if trusted else {}
        return (await used.judging.judge(old, states, used.approvals)).states

    async def pens(self, owners: Iterable[Owner], ssh_key: Path | None) -> Sequence[Pen]:
        """Give the keys of these owners that the person can sign with."""
        keys = {key for one in owners for key in one.keys}
        if ssh_key is not None:
            ssh = SshKeygen(self.settings.tool_path, _agent(self.settings.git_env))
            key = OwnerKey.parse(str(await ssh.public(ssh_key)))
            pens = [Pen(key, partial(ssh.sign, key=ssh_key, namespace=SSH_NAMESPACE))]
        else:
            secret = {one.fingerprint for one in await self.keyring.secret_keys()}
            mine = [key for key in keys if key.kind is KeyKind.OPENPGP and key.id in secret]
            pens = [Pen(key, partial(self._sign, key=key.id)) for key in sorted(mine)]
        return [pen for pen in pens if pen.key in keys]

    async def sign(self, steps: Iterable[Statement], pen: Pen) -> list[Approval]:
        """Sign, and keep the approvals here; nothing is pushed yet."""
        made = []
        for step in steps:
            approval = Approval(step, await pen.sign(step.encode()))
            await keep_approval(self.clone, approval)
            made.append(approval)
        return made

    async def push(self) -> bool:
        """Share what was signed; False where there is no host."""
        if self.remote is None:
            return False
        await push_approvals(self.remote)
        return True

    def deciders(self, used: Bench, one: Verdict) -> tuple[Owner, ...]:
        """Give the people who decide about what a prefix waits for, with the keys that count."""
        source = one.approved or one.wanted
        owners = used.judging.owners(source.commit) if source else None
        rule = owners.rule(one.prefix) if owners else None
        if rule is None and one.wanted is not None:
            owners = used.judging.owners(one.wanted.commit)
            rule = owners.rule(one.prefix)
        return owners.of(rule) if owners and rule else ()

    def rewinds(
        self, used: Bench, states: Mapping[str, State], old: str, new: str
    ) -> Iterator[tuple[Statement, tuple[Owner, ...]]]:
        """Give what is signed so that `new` may take the place of `old`, and by whom.

        Those decide whom owners agreed to last: `old` may be what somebody pushed without them.
        """
        store = used.lineage.first(new)
        for prefix, state in sorted(states.items()):
            owners = used.judging.owners(state.commit)
            rule = owners.rule(prefix)
            before = used.rewinding.before(old, prefix, state)
            after = State(new, used.judging.content(new, prefix))
            step = Statement(Purpose.REWIND, store, prefix, before, after)
            yield step, owners.of(rule) if rule else ()

    async def _sign(self, text: bytes, key: str) -> bytes:
        try:
            return await self.keyring.sign(text, key)
        except KeyFileError:
            raise KeyFileError(
                f"gpg cannot sign with your key 0x{key[-16:]}",
                remedy="try it by hand: gpg --clearsign; on a terminal without a screen: "
                "export GPG_TTY=$(tty)",
            ) from None


def lockouts(owners: Owners, problem: Callable[[OwnerKey], str]) -> Iterator[str]:
    """Say which rules nobody could ever change again, in sentences."""
    for rule in owners.rules:
        live = [one for one in owners.of(rule) if any(not problem(key) for key in one.keys)]
        if len(live) < rule.approvals:
            dead = [
                f"{one.name}'s {key.short} {problem(key)}"
                for one in owners.of(rule)
                if one not in live
                for key in one.keys
            ]
            yield (
                f"{rule.shown}: {rule.approvals} have to agree, and only {len(live)} "
                f"{'has' if len(live) == 1 else 'have'} a key that can sign: {'; '.join(dead)}"
            )


def refuse_lockout(owners: Owners, problem: Callable[[OwnerKey], str], place: str) -> None:
    """Raise `AccessError` for a file after which a rule could never be changed again."""
    found = [*lockouts(owners, problem)]
    if found:
        raise AccessError(
            f"{OWNERS_FILE} of {place} would lock everybody out: {found[0]}",
            remedy="get the owner's key into the store: gpg --import FILE, then flux-secret owners "
            "edit; or renew it, or name others; nothing was changed",
        )


def _agent(env: Mapping[str, str]) -> Mapping[str, str]:
    return {name: env[name] for name in ("SSH_AUTH_SOCK",) if name in env}
