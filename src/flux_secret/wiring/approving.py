"""A repository → what judges its heads: history, certificates, ssh-keygen and approvals."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from flux_secret.access.judging import Judging
from flux_secret.access.keys import certificates
from flux_secret.access.openpgp import Certificates
from flux_secret.access.rewinding import Rewinding
from flux_secret.access.signatures import Signatures
from flux_secret.model.approval import Approval
from flux_secret.model.ownerkey import KeyKind, OwnerKey
from flux_secret.outside.git.approvals import read_approvals
from flux_secret.outside.git.lineage import Lineage
from flux_secret.outside.sshkeygen import SshKeygen


@dataclass(frozen=True, slots=True)
class Bench:
    """What a store's heads are judged with."""

    lineage: Lineage
    judging: Judging
    rewinding: Rewinding
    certificates: Certificates
    approvals: tuple[Approval, ...]
    """Those that are in the repository, good or not."""

    def problem(self, key: OwnerKey) -> str:
        """Say why a key cannot sign now, in words that follow "the key"; empty when it can."""
        return self.certificates.problem(key.id) if key.kind is KeyKind.OPENPGP else ""


def bench(
    repository: Path,
    head: str,
    *,
    path: str,
    trusted: Collection[OwnerKey] = (),
) -> Bench:
    """Connect it for one head: keys that are only in later commits are not known to it.

    `path` is where ssh-keygen is looked for; `trusted` are the keys of a trust anchor,
    whose signatures are tried although no owner has them.
    """
    lineage = Lineage(repository)
    known = certificates(lineage, head)

    def owners() -> frozenset[OwnerKey]:
        return judging.known_keys() | frozenset(trusted)

    signatures = Signatures(known, SshKeygen(path).verify, owners)
    judging = Judging(lineage, signatures)
    rewinding = Rewinding(lineage, signatures, judging)
    return Bench(lineage, judging, rewinding, known, tuple(read_approvals(repository)))
