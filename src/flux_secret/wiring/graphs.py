"""A person's stores, a cluster and manifests → the access graph; nothing is decrypted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from flux_secret.access.assemble import Facts, assemble
from flux_secret.access.graph import Graph
from flux_secret.errors import FluxSecretError, UnreachableError, UsageError
from flux_secret.model.access import Answering, StoreAccess
from flux_secret.model.ownerkey import KeyKind
from flux_secret.model.owners import OWNERS_FILE, Owners
from flux_secret.outside.git.clone import Clone
from flux_secret.outside.git.person import PersonGit
from flux_secret.outside.gpg import Gpg
from flux_secret.outside.keyring import Keyring
from flux_secret.outside.workfolder import WorkFolder
from flux_secret.settings.access import AccessSettings
from flux_secret.store.interface import Commit
from flux_secret.store.ownersfile import owners_of
from flux_secret.store.readership import Certificate, Readership
from flux_secret.wiring.clusterfacts import ClusterFacts, look
from flux_secret.wiring.installing import client_of
from flux_secret.wiring.refusals import nameless, refused
from flux_secret.wiring.written import written


async def graph_of(settings: AccessSettings) -> Graph:
    """Look at everything that the settings name; raise what cannot be passed over."""
    if not settings.stores and settings.cluster is None and not settings.manifests:
        raise UsageError(
            "there is nothing to look at: you have no store, and no cluster is asked",
            remedy="name the clone of a store: --store NAME=FOLDER; or a --kubeconfig",
        )
    stores: list[StoreAccess] = []
    answering: list[Answering] = []
    rules: dict[str, Owners] = {}
    keys: list[tuple[str, str]] = []
    findings: list[str] = []
    unseen: list[str] = []
    async with _keyring(settings) as keyring:
        git = PersonGit(settings.person.git_env)
        for name, root in settings.stores.items():
            commit = await _commit(root, git)
            known, why = await _known(keyring, commit)
            unseen += why
            access = Readership(commit, keyring=known).access(name)
            stores.append(access)
            try:
                rules[name] = owners = owners_of(commit)
                answering += _answering(access, owners)
                keys += _keys(owners)
            except FluxSecretError as error:
                findings.append(f"{name or root}: {error.what}")
    if not settings.stores:
        unseen.append("stores: you have none; name one: --store NAME=FOLDER")
    uses = [
        use for folder in settings.manifests for use in written(folder, settings.stores, findings)
    ]
    cluster = await _cluster(settings)
    if cluster is not None:
        findings += cluster.findings
        unseen += cluster.unseen
        findings += _elsewhere(cluster, stores)
    else:
        cluster = ClusterFacts()
    uses += cluster.uses
    if not settings.cluster_name:
        findings += nameless(uses, rules)
    return assemble(
        Facts(
            stores=tuple(stores), owners=tuple(answering), keys=tuple(keys),
            uses=tuple(uses), refused=refused(uses, rules, settings.cluster_name),
            asked=settings.cluster is not None, secrets=tuple(cluster.secrets),
            grants=cluster.grants, podding=cluster.podding, runs=cluster.runs,
            accounts=tuple(cluster.accounts),
            agents=tuple(cluster.agents), findings=tuple(findings), unseen=tuple(unseen),
        )
    )  # fmt: skip


async def _cluster(settings: AccessSettings) -> ClusterFacts | None:
    if settings.cluster is None:
        return None
    async with contextlib.AsyncExitStack() as resources:
        client = await client_of(settings.cluster, settings.cluster_env, resources)
        try:
            return await look(client, through_pods=settings.through_pods)
        except UnreachableError as error:
            raise UnreachableError(
                error.what, remedy="look at the stores alone: --no-cluster; or try again"
            ) from error


async def _commit(root: Path, git: PersonGit) -> Commit:
    """Give the newest commit of a store; its folder, where it is no repository."""
    folder = WorkFolder(root)
    clone = await Clone.find(folder, git)
    head = await clone.head() if clone is not None else None
    return clone.at(head) if clone is not None and head is not None else folder


@asynccontextmanager
async def _keyring(settings: AccessSettings) -> AsyncIterator[Keyring]:
    person = settings.person
    gpg = Gpg(path=person.tool_path, home=person.gnupg_home, terminal=person.pinentry_env)
    try:
        yield Keyring(gpg)
    finally:
        await gpg.close()


async def _known(keyring: Keyring, commit: Commit) -> tuple[list[Certificate], list[str]]:
    """Give what the person's keyring knows of the recipients, where they have a gpg."""
    wanted = Readership(commit).written()
    if not wanted:
        return [], []
    try:
        keys = await keyring.keys(*wanted)
    except FluxSecretError as error:
        return [], [f"names in your keyring: {error.what}"]
    return [
        Certificate(
            key.fingerprint, key.user_ids,
            frozenset(one.fingerprint[-16:] for one in key.subkeys),
        )
        for key in keys
    ], []  # fmt: skip


def _answering(access: StoreAccess, owners: Owners) -> Iterable[Answering]:
    prefix = f"{access.store}/" if access.store else ""
    for one in access.sealed:
        rule = owners.rule(one.entry.removeprefix(prefix))
        if rule is not None:
            said = f"{OWNERS_FILE}, {rule.shown}"
            yield from (Answering(one.entry, name, said) for name in rule.owners)


def _keys(owners: Owners) -> Iterable[tuple[str, str]]:
    for person in owners.people.values():
        for key in person.keys:
            if key.kind is KeyKind.OPENPGP:
                yield person.name, key.id


def _elsewhere(cluster: ClusterFacts, stores: Iterable[StoreAccess]) -> Iterable[str]:
    """Say which entries are read in the cluster that no store here has."""
    there = {one.entry for store in stores for one in store.sealed}
    for name in sorted({use.entry for use in cluster.uses} - there):
        yield (
            f"{name} is read in the cluster, and lies in no store here: who holds its key is not "
            "known; if you have the store under another name: --store NAME=FOLDER"
        )
