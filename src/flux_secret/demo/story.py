"""The walkthrough, chapter by chapter, on real gpg, git and kustomize and with our own delivery."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flux_secret.demo.place import Kubectl, Place
from flux_secret.demo.repositories import GopassStore, Repository, application_repository
from flux_secret.errors import BugError, HeldError, IntegrityError
from flux_secret.model.change import ChangeSet
from flux_secret.reconcile.round import Round
from flux_secret.settings import Flags

APPLICATION: Final = "demo/overlay/dev"
PLATFORM: Final = "platform"
CLUSTER_NAME: Final = "demo-cluster"
FIRST_VALUE: Final = b"correct horse battery staple\n"
SECOND_VALUE: Final = b"rotated by devops person2\n"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story plays on."""

    place: Place
    kubectl: Kubectl
    deliver: Callable[[Flags], Awaitable[Round]]
    """One `flux-secret deliver` with these flags, its outcome printed."""
    say: Callable[[str], None]
    audit: Callable[[str, Sequence[str]], int]
    """One `flux-secret audit COMMAND` with these arguments, shown and printed; its exit code."""


class Story:
    """Plays the chapters in order; each leaves the place as the next one needs it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._say = stage.say
        place = stage.place
        self._operations = Repository(place.root / "ops", place.env)
        self._flags = Flags(
            git_url=self._operations.url,
            git_path=(PLATFORM, APPLICATION),
            git_gpg_key_import=(place.root / "flux.asc",),
            manifest_generation=True,
            unsafe_no_sandbox=sys.platform != "linux",  # the demo's script is our own
            generator_env=("APPLICATIONSTORE=apps",),
            sync_garbage_collection=True,
            namespace=place.namespace,
            kubeconfig=place.kubeconfig,
            cache_dir=place.root / "cache",
            record_dir=place.root / "record",
        )

    async def play(self) -> None:
        """Play the whole walkthrough; raise when a chapter does not end as it must."""
        store = await self._prepare()
        await self._deliver()
        await self._rotate(store)
        await self._damage(store)
        await self._remove(store)
        self._prove()

    async def tidy(self) -> None:
        """Remove from a cluster that stays what the story itself leaves there."""
        kubectl, namespace = self._stage.kubectl, self._stage.place.namespace
        await kubectl.show("delete", "configmap", "about-this-cluster", "-n", "default")
        await kubectl.show("delete", "namespace", namespace, "--wait=false")

    async def deliver_again(self) -> None:
        """Bring the application back, for people who want to look around."""
        self._chapter("7", "delivered once more, for you to look at")
        self._expect(0, await self._stage.deliver(self._flags))

    async def _prepare(self) -> GopassStore:
        place, gnupg = self._stage.place, self._stage.place.gnupg
        self._chapter("1", "keys, stores and the application repository")
        person1 = await gnupg.make_person("devops person1", "devops1@example.org")
        person2 = await gnupg.make_person("devops person2", "devops2@example.org")
        operator = await gnupg.make_person("flux-operator", "flux@example.org")
        operators_key = await gnupg.private_key(operator)
        (place.root / "flux.asc").write_bytes(operators_key)
        (place.root / "flux.asc").chmod(0o400)
        (place.root / "flux.pub.asc").write_bytes(await gnupg.public_key(operator))

        admin = GopassStore(Repository(place.root / "admin-store", place.env), gnupg, [person1])
        await admin.init()
        folder = f"technical/k8s/{CLUSTER_NAME}/flux"
        entries = {
            "gpg-private-key": operators_key,
            "gpg-public-key": await gnupg.public_key(operator),
            **await place.deploy_key(),
        }
        for name, text in sorted(entries.items()):
            await admin.insert(f"{folder}/{name}", text)
        self._tree(f"admin/{folder}", sorted(entries))

        readers = [person1, person2, operator]
        repository = Repository(place.root / "application-store", place.env)
        store = GopassStore(repository, gnupg, readers)
        await store.init()
        for name in ("demo", "application/demo/prod/applicationsecrets"):
            await store.insert(name, FIRST_VALUE)
        await store.insert("application/demo/test/applicationsecrets", b"only for tests\n")
        self._tree("apps is encrypted to", [str(reader) for reader in readers])
        self._flags = replace(self._flags, store=(f"apps={repository.url}",))

        await application_repository(self._operations)
        for name in (".flux.yaml", "secrets.yaml.sh"):
            file = self._operations.directory / APPLICATION / name
            self._say(f"ops/{APPLICATION}/{name}:\n{_indented(file.read_text())}")
        return store

    async def _deliver(self) -> None:
        self._chapter("2", "the application gets its secret")
        self._expect(0, await self._stage.deliver(self._flags))
        await self._stage.kubectl.show("get", "secrets", "-n", "dev-demo")
        await self._stage.kubectl.show("get", "all", "-n", "dev-demo")
        if not self._stage.place.has_pods:
            self._say("(this cluster has no kubelet: pods need a real one, --cluster current)")
        await self._must_hold(FIRST_VALUE)

    async def _rotate(self, store: GopassStore) -> None:
        self._chapter("3", "somebody changes the entry in gopass; nothing else is touched")
        await store.insert("demo", SECOND_VALUE)
        self._expect(0, await self._stage.deliver(self._flags))
        before, after = await self._must_hold(SECOND_VALUE)
        self._say(f"demosecret: *** (before) → *** (after), resourceVersion {before} → {after}")

    async def _damage(self, store: GopassStore) -> None:
        self._chapter("4", "the entry is damaged; Flux v1 would now empty the Secret")
        await store.damage("demo")
        self._expect(4, await self._stage.deliver(self._flags))
        before, after = await self._must_hold(SECOND_VALUE)
        if before != after:
            raise BugError(f"the Secret was written: resourceVersion {before} → {after}")
        self._say(f"the Secret still holds the last good value, resourceVersion {after}, unwritten")
        await store.insert("demo", SECOND_VALUE)

    async def _remove(self, store: GopassStore) -> None:
        self._chapter("5", f"{APPLICATION} is taken out of the configuration")
        fewer = replace(self._flags, git_path=(PLATFORM,))
        held = await self._stage.deliver(fewer)
        tokens = sorted(_tokens(held.swept))
        if not tokens:
            raise BugError("nothing was held back although a whole application was taken out")
        self._say(f"confirmed by a person: --confirm {tokens[0]}")
        self._expect(0, await self._stage.deliver(replace(fewer, confirm=tuple(tokens))))
        if await self._stage.kubectl.json("get", "secret", "demo-secret", "-n", "dev-demo"):
            raise BugError("the Secret is still there after its removal was confirmed")
        self._say(f"gone from the cluster; {store.repository.directory.name} still holds the value")

    def _prove(self) -> None:
        self._chapter("6", "all of it is on the record, and nobody can have changed it since")
        record, key = (
            str(self._stage.place.root / "record"),
            self._stage.place.root / "flux.pub.asc",
        )
        kinds = [f"--kind={kind}" for kind in ("read", "refused", "pruned")]
        if self._stage.audit("log", [record, *kinds]) != 0:
            raise BugError("the record of this demo cannot be read")
        if self._stage.audit("verify", [record, f"--key={key}"]) != 0:
            raise BugError("the record of this demo is not whole")
        lines = b"".join(file.read_bytes() for file in Path(record).rglob("*.jsonl"))
        for value in (FIRST_VALUE, SECOND_VALUE):
            if value.strip() in lines:
                raise BugError("a value is on the record of this demo")
        self._say("no value is in it: names, commits, reasons")
        self._say("\nsomebody who has the disk hides that a read was refused:")
        (file,) = Path(record).glob("*/*.jsonl")
        whole = file.read_bytes().splitlines(keepends=True)
        at = next(at for at, line in enumerate(whole) if b'"kind":"refused"' in line)
        self._say(f"$ sed -i {at + 1}d {file}")
        file.write_bytes(b"".join([*whole[:at], *whole[at + 1 :]]))
        if self._stage.audit("verify", [record, f"--key={key}"]) != IntegrityError.exit_code:
            raise BugError("a line that was taken out of the record was not missed")
        file.write_bytes(b"".join(whole))

    async def _must_hold(self, value: bytes) -> tuple[str, str]:
        """Check the Secret's bytes; give its resourceVersion before and now."""
        secret = await self._stage.kubectl.json("get", "secret", "demo-secret", "-n", "dev-demo")
        live = json.loads(secret) if secret else {}
        found = base64.b64decode(live.get("data", {}).get("demosecret", ""))
        if found != value:
            raise BugError("the Secret does not hold the value that the store holds")
        now = str(live["metadata"]["resourceVersion"])
        before, self._version = getattr(self, "_version", now), now
        return before, now

    def _chapter(self, number: str, title: str) -> None:
        self._say(f"\n== {number}. {title}")

    def _tree(self, title: str, lines: Sequence[str]) -> None:
        ends = ["├── "] * (len(lines) - 1) + ["└── "]
        self._say("\n".join([title, *(end + line for end, line in zip(ends, lines, strict=True))]))

    @staticmethod
    def _expect(code: int, done: Round) -> None:
        if done.exit_code != code:
            raise BugError(f"this delivery must end with exit code {code}, not {done.exit_code}")


def _tokens(changes: ChangeSet) -> set[str]:
    return {
        change.error.token
        for change in changes
        if isinstance(change.error, HeldError) and change.error.token
    }


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines()).rstrip("\n")
