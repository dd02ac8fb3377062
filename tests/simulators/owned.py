"""A store with owners: real git, gpg and ssh-keygen, and entries whose bytes nobody has to read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flux_secret.access.judging import Judgement
from flux_secret.model.approval import SSH_NAMESPACE, Approval, State, Statement
from flux_secret.wiring.approving import Bench, bench
from simulators.gnupg import Home
from simulators.repositories import Content, Repository
from simulators.signing import git_signs

OWNERS = ".flux-secret/owners.yaml"


@dataclass(frozen=True)
class Signatory:
    """Somebody with a key, of OpenPGP or of SSH."""

    name: str
    gnupg: Home | None = None
    ssh: Path | None = None
    options: tuple[str, ...] = ()
    """More of gpg, as its clock."""

    @property
    def email(self) -> str:
        return f"{self.name}@example.org"

    @property
    def key(self) -> str:
        """As the owners file writes it."""
        if self.ssh is not None:
            return " ".join(self.ssh.with_suffix(".pub").read_text().split()[:2])
        assert self.gnupg is not None
        return f"openpgp:{self.gnupg.fingerprint(self.email)}"

    def sign(self, text: bytes, *, namespace: str = SSH_NAMESPACE) -> bytes:
        if self.ssh is not None:
            words = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.ssh)]
            return subprocess.run(words, input=text, capture_output=True, check=True).stdout
        assert self.gnupg is not None
        words = [*self.options, "--armor", "--local-user", self.email, "--detach-sign"]
        return self.gnupg.gpg(*words, stdin=text)


def ssh_key(folder: Path, name: str) -> Signatory:
    """Make an SSH key."""
    file = folder / name
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file)]
    subprocess.run(words, check=True, capture_output=True)
    return Signatory(name, ssh=file)


def people_yaml(people: Sequence[Signatory]) -> str:
    return "".join(f'  {one.name}: {{keys: ["{one.key}"]}}\n' for one in people)


@dataclass
class OwnedStore:
    """A repository, and what an agent knows of it."""

    repository: Repository
    people: tuple[Signatory, ...]
    states: Mapping[str, State] = field(default_factory=dict)

    @classmethod
    def create(
        cls, path: Path, people: Sequence[Signatory], rules: str, files: Mapping[str, Content]
    ) -> OwnedStore:
        """Make one whose first commit is trusted."""
        keys: dict[str, Content] = {
            f".public-keys/{one.key.partition(':')[2]}": one.gnupg.public_key(one.email)
            for one in people
            if one.gnupg is not None
        }
        owners: dict[str, Content] = {OWNERS: cls.text(people, rules)}
        repository = Repository.create(path, {**files, **keys, **owners})
        store = cls(repository, tuple(people))
        store.states = store.bench().judging.anchored(repository.head, repository.head)
        return store

    @staticmethod
    def text(people: Sequence[Signatory], rules: str) -> str:
        return f"version: 1\nowners:\n{people_yaml(people)}paths:\n{rules}"

    def owners(self, rules: str, people: Sequence[Signatory] | None = None) -> str:
        """Commit another owners file."""
        return self.commit({OWNERS: self.text(people or self.people, rules)})

    @property
    def git_dir(self) -> Path:
        return self.repository.path / ".git"

    @property
    def first(self) -> str:
        return self.bench().lineage.first(self.repository.head)

    def commit(
        self, files: Mapping[str, Content | None], by: Signatory | None = None, text: str = "change"
    ) -> str:
        """Change files, None removes one; signed by somebody, or by nobody."""
        for name in [name for name, content in files.items() if content is None]:
            (self.repository.path / name).unlink()
        there = {name: content for name, content in files.items() if content is not None}
        self.repository.commit(there, text)
        words = ("commit", "-q", "--amend", "--no-edit", "--allow-empty")
        if by is not None and by.ssh is not None:
            settings = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={by.ssh}")
            self.repository.git(*settings, *words, "-S")
        elif by is not None and by.gnupg is not None:
            git_signs(self.repository, by.gnupg, *words, f"--gpg-sign={by.email}", gpg=by.options)
        return self.repository.head

    def bench(self) -> Bench:
        return bench(self.git_dir, self.repository.head, path=os.environ["PATH"])

    async def judge(self, *, remember: bool = True) -> Judgement:
        """Look at the head as an agent does, which remembers what it found."""
        used = self.bench()
        found = await used.judging.judge(self.repository.head, self.states, used.approvals)
        if remember:
            self.states = found.states
        return found

    async def approve(self, *people: Signatory, prefix: str | None = None) -> list[Approval]:
        """Sign what the head changes, as `owners approve` does."""
        found = await self.judge(remember=False)
        steps = [
            step
            for one in found.held
            if prefix in {None, one.prefix}
            for step in one.steps(self.first)
        ]
        return [self.keep(step, who) for step in steps for who in people]

    def keep(self, step: Statement, who: Signatory) -> Approval:
        """Sign a statement and put it beside the branches."""
        approval = Approval(step, who.sign(step.encode()))
        self.put(approval)
        return approval

    def put(self, approval: Approval) -> None:
        blob = self.repository.blob(approval.encode())
        self.repository.git("update-ref", approval.ref, blob)
