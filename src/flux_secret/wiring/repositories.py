"""Addresses → the branches and stores that are followed; they come and go while the agent runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial

from flux_secret.errors import ReadRefusedError
from flux_secret.model.app import Followed
from flux_secret.model.approval import REFS
from flux_secret.model.giturl import GitUrl
from flux_secret.model.names import StoreName
from flux_secret.model.store import NO_ANCHOR, Anchor
from flux_secret.model.sync import Verification
from flux_secret.model.target import Source, Target
from flux_secret.outside import kubernetes
from flux_secret.outside.git import (
    Ancestry,
    GitAccess,
    History,
    LastGood,
    Mirror,
    SyncTag,
    Tagger,
)
from flux_secret.outside.gpg import Gpg
from flux_secret.reconcile.poller import Answers
from flux_secret.settings import Settings, SyncState
from flux_secret.source.branch import Branch, watched
from flux_secret.source.interface import Marker
from flux_secret.wiring.heads import Asked


class Repositories:
    """Every branch and store that somebody wants; each is followed from when it is asked for.

    The branch of Flux v1's flags has a sync marker; one of an App has none.
    """

    def __init__(
        self, settings: Settings, git: GitAccess, gpg: Gpg, client: kubernetes.Client
    ) -> None:
        self._settings = settings
        self._git = git
        self._gpg = gpg
        self._client = client
        self._branches: dict[Source, Branch] = {}
        self._mirrors: dict[Followed, Mirror] = {}
        self._stores: dict[StoreName, LastGood] = {}
        self._anchors: dict[StoreName, Anchor] = {}
        for name, url in settings.stores.items():
            self.mount(name, url, settings.anchors.get(name, NO_ANCHOR))
        for app in settings.apps:
            for target in app.targets:
                self.branch(target.source)

    @property
    def stores(self) -> Collection[StoreName]:
        """The stores that are mounted."""
        return tuple(self._stores)

    def addresses(self) -> Collection[str]:
        """Give where they are asked, branches and stores; none holds a password."""
        return {str(mirror.url) for mirror in self._mirrors.values()}

    def branch(self, source: Source) -> Branch:
        """Give a branch; it is followed from now on."""
        if source not in self._branches:
            self._branches[source] = self._follow(source)
        return self._branches[source]

    def store(self, name: StoreName) -> LastGood:
        """Give a store; raise `ReadRefusedError` when none of that name is mounted."""
        if name not in self._stores:
            raise ReadRefusedError(
                f"there is no store {name}",
                remedy=f"name it with --store {name}=URL, or make a Store of that name",
            )
        return self._stores[name]

    def ancestry(self, name: StoreName) -> Ancestry:
        """Give which of a store's commits contains which; raises as `store` does."""
        self.store(name)
        return Ancestry(self._mirrors[name], name.value)

    def anchor(self, name: StoreName) -> Anchor:
        """Say whose word counts about the owners of a store."""
        return self._anchors.get(name, NO_ANCHOR)

    def mount(self, name: StoreName, url: GitUrl, anchor: Anchor) -> None:
        """Follow a store, or follow it at another address from now on."""
        self._anchors[name] = anchor
        if name in self._mirrors and self._mirrors[name].url == url:
            return
        cache = self._settings.git.cache
        mirror = self._mirrors[name] = Mirror(url, cache, self._git, beside=REFS)
        self._stores[name] = LastGood(mirror, allowed=self._settings.sync.goes_on)

    def unmount(self, name: StoreName) -> None:
        """Follow a store no more."""
        self._anchors.pop(name, None)
        self._mirrors.pop(name, None)
        self._stores.pop(name, None)

    def keep(self, wanted: Collection[Source]) -> None:
        """Follow these branches, and no other but that of Flux v1's flags."""
        wanted = {*wanted, *(target.source for target in self._flagged())}
        for source in wanted:
            self.branch(source)
        for source in self._branches.keys() - wanted:
            del self._branches[source]
            self._mirrors.pop(source, None)

    async def poll(self, urls: Collection[str] = ()) -> Answers:
        """Ask those that have one of these addresses, or all; each on its own."""
        asked = [Asked(one, mirror) for one, mirror in self._mirrors.items()]
        if urls:
            asked = [one for one in asked if str(one.mirror.url) in urls]
        answers = await asyncio.gather(*(one.answer() for one in asked))
        return dict(zip((one.repository for one in asked), answers, strict=True))

    def _follow(self, source: Source) -> Branch:
        sync = self._settings.sync
        here = [target for target in self._flagged() if target.source == source]
        marked = bool(here) and (sync.moves_marker or sync.verification is not Verification.NONE)
        tag = sync.tag if marked and sync.state is SyncState.GIT else None
        mirror = Mirror(source.url, self._settings.git.cache, self._git, tag=tag)
        self._mirrors[source] = mirror
        return Branch(
            source=source,
            mirror=LastGood(mirror, allowed=sync.goes_on),
            history=History(mirror, self._gpg.home),
            verification=sync.verification,
            marker=self._marker(mirror) if marked else None,
            moves=sync.moves_marker,
            paths=watched(here),
        )

    def _flagged(self) -> Collection[Target]:
        return self._settings.flagged.targets if self._settings.flagged else ()

    def _marker(self, mirror: Mirror) -> Marker:
        sync, namespace = self._settings.sync, self._settings.cluster.namespace
        if sync.state is SyncState.SECRET:
            return kubernetes.SecretAnnotation(self._client, namespace, sync.secret)
        tagger = Tagger(sync.tagger_name, sync.tagger_email)
        sign = partial(self._gpg.sign, key=sync.signing_key) if sync.signing_key else None
        return SyncTag(mirror, sync.tag, tagger, gnupg=self._gpg.home, sign=sign)
