"""The walkthrough's cluster with a store that has owners: who pushes what, and what comes of it."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

from flux_secret.model.approval import Approval
from simulators.owned import OWNERS, OwnedStore, Signatory
from simulators.repositories import Content
from simulators.world import APPLICATION, World

BOTH = f"{APPLICATION},other"


@dataclass
class Owned:
    """The walkthrough's store, whose entry `demo` has two owners; its entry `free` has none."""

    world: World
    store: OwnedStore

    @property
    def first(self) -> Signatory:
        return self.store.people[0]

    @property
    def second(self) -> Signatory:
        return self.store.people[1]

    def put(self, entry: str, text: bytes) -> str:
        """Somebody changes an entry with gopass, which signs nothing."""
        return self.world.put(entry, text)

    def approve(self, *people: Signatory) -> list[Approval]:
        """Sign what waits, as `owners approve` does."""
        return asyncio.run(self.store.approve(*people))

    def agreed(self, entry: str, text: bytes) -> str:
        """Both owners agree to a change."""
        commit = self.put(entry, text)
        self.approve(self.first, self.second)
        asyncio.run(self.store.judge())
        return commit

    def delivered(self, *flags: str) -> bytes:
        """Deliver, and give the value that is in the cluster then; nothing may fail."""
        done = self.world.deliver(*flags, path=BOTH)
        assert done.code == 0, done.err
        return self.world.secret()[0]

    def other(self) -> bytes:
        found = self.world.get("secret", "other")
        assert found is not None
        return base64.b64decode(found["data"]["value"]).strip()


def brought_in(world: World, rules: str, *people: Signatory) -> OwnedStore:
    """Commit an owners file, and the keys of those whom it names."""
    store = OwnedStore(world.store, people)
    keys: dict[str, Content] = {
        f".public-keys/{one.key.partition(':')[2]}": one.gnupg.public_key(one.email)
        for one in people
        if one.gnupg is not None
    }
    world.store.commit({**keys, OWNERS: store.text(people, rules)}, "who answers for what")
    store.states = store.bench().judging.anchored(world.store.head, world.store.head)
    return store
