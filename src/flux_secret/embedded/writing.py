"""A request's object and the live one → what is stored: create, update, patch, apply.

The order of the steps is that of apiserver's handlers and registry/generic/registry/store.go:
decode, field manager, admission (namespaces), before-create or before-update, precondition,
validation, store.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from flux_secret.embedded.codec.body import Duplicates
from flux_secret.embedded.codec.golang import DecodeError
from flux_secret.embedded.committing import Committer
from flux_secret.embedded.merge.element import TypedError
from flux_secret.embedded.merge.managers import FieldManager
from flux_secret.embedded.options import WriteOptions
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.schema.kinds import Kind
from flux_secret.embedded.status import (
    Cause,
    StatusError,
    bad_request,
    conflict,
    invalid,
    not_found,
    unknown_failure,
)
from flux_secret.embedded.store import Key, Resource, Store, key_of
from flux_secret.embedded.tree import Tree, child, text

GENERATED: Final = 5  # characters that generateName adds
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # util/rand: no vowels, no look-alikes
Patcher: TypeAlias = Callable[[Tree], Tree]
"""The live object → the patched one, before it is decoded."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a write left behind."""

    tree: Tree
    created: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes objects of one kind, or their status."""

    store: Store
    kind: Kind
    rule: Rule
    now: Callable[[], str]
    subresource: str = ""

    @property
    def resource(self) -> Resource:
        """Where its objects are kept."""
        return self.kind.group, self.kind.plural

    @property
    def _fields(self) -> FieldManager:
        is_status = self.subresource == "status"
        return FieldManager(
            type=self.rule.merge_type,
            api_version=self.kind.api_version,
            kind=self.kind.kind,
            now=self.now,
            ignored=self.rule.status_ignored if is_status else self.rule.ignored,
            subresource=self.subresource,
        )

    @property
    def _commit(self) -> Committer:
        return Committer(self.store, self.kind, self.rule, self.now, self.subresource)

    # -- the four ways to write --

    def create(
        self, namespace: str, sent: Tree, options: WriteOptions, duplicates: Duplicates
    ) -> Tree:
        """Create; raise `StatusError`."""
        tree = self.decoded(sent, options, duplicates)
        self._place(tree, namespace)
        if text(tree, "metadata", "resourceVersion"):
            raise unknown_failure("resourceVersion should not be set on objects to be created")
        _generate_name(tree)
        tree = self._fields.update(None, tree, self.rule.empty(), options.manager)
        self._commit.admit(namespace, text(tree, "metadata", "name"))
        return self._commit.create(tree, options)

    def update(
        self,
        key: Key,
        sent: Tree,
        options: WriteOptions,
        duplicates: Duplicates,
    ) -> Written:
        """Replace, or create where the kind allows that; raise `StatusError`."""
        tree = self.decoded(sent, options, duplicates)
        name = text(tree, "metadata", "name")
        if name != key[1]:
            why = f"the name of the object ({name}) does not match the name on the URL ({key[1]})"
            raise bad_request(why if name else "name must be provided")
        self._place(tree, key[0])
        live = self.store.find(self.resource, key)
        if live is None:
            if not self.rule.creates_on_update or self.subresource:
                raise not_found(self.kind, key[1])
            self._commit.admit(*key)
            tree = self._fields.update(None, tree, self.rule.empty(), options.manager)
            return Written(self._commit.create(tree, options), created=True)
        uid, found = text(tree, "metadata", "uid"), text(live, "metadata", "uid")
        if uid and uid != found:
            raise uid_conflict(self.kind, key[1], uid, found)
        tree = self._fields.update(live, tree, self.rule.empty(), options.manager)
        return Written(self._commit.replace(tree, live, options), created=False)

    def patch(
        self, key: Key, patcher: Patcher, options: WriteOptions, duplicates: Duplicates
    ) -> Written:
        """Change by a JSON, merge or strategic merge patch; raise `StatusError`."""
        live = self.store.find(self.resource, key)
        if live is None:
            raise not_found(self.kind, key[1])
        patched = patcher(self.shown(live))
        tree = self.decoded(patched, options, duplicates, is_patch=True)
        tree = self._fields.update(live, tree, self.rule.empty(), options.manager)
        self._place(tree, key[0])
        self._check_name(tree, key)
        return Written(self._commit.replace(tree, live, options), created=False)

    def apply(
        self, key: Key, applied: Tree, options: WriteOptions, duplicates: Duplicates
    ) -> Written:
        """Apply on the server side; raise `StatusError`."""
        live = self.store.find(self.resource, key)
        if live is None and self.subresource:
            raise not_found(self.kind, key[1])
        before = self.shown(live) if live is not None else self.rule.empty()
        try:
            merged = self._fields.apply(before, applied, options.manager, force=options.force)
        except TypedError as error:
            raise self._not_typed(applied, error) from error
        if options.validation == "Strict" and duplicates:
            raise bad_request(f"error strict decoding YAML: {_doubled(duplicates)}")
        try:
            tree, _ = self.rule.decode(merged, applied=True)
        except DecodeError as error:
            raise self._not_convertible(key, error) from error
        self.rule.default(tree)
        if live is None and (uid := text(tree, "metadata", "uid")):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object "
            raise conflict(self.kind, key[1], why + "was found")
        self._place(tree, key[0])
        self._check_name(tree, key)
        if live is None:
            self._commit.admit(*key)
            return Written(self._commit.create(tree, options), created=True)
        return Written(self._commit.replace(tree, live, options), created=False)

    def _not_typed(self, applied: Tree, error: TypedError) -> StatusError:
        version = f"{self.kind.group}/{self.kind.version}"
        namespace, name = key_of(applied)
        return unknown_failure(
            f"failed to create typed patch object ({namespace}/{name}; "
            f"{version}, Kind={self.kind.kind}): {error}"
        )

    def _not_convertible(self, key: Key, error: DecodeError) -> StatusError:
        kind = f"/{self.kind.version}, Kind={self.kind.kind}"
        return unknown_failure(
            f"failed to convert new object (/{key[1]}; {kind}) to proper version: {error}"
        )

    # -- steps --

    def shown(self, tree: Tree) -> Tree:
        """Give a stored object in this version."""
        return {**tree, "apiVersion": self.kind.api_version}

    def decoded(
        self,
        tree: Tree,
        options: WriteOptions,
        duplicates: Duplicates,
        *,
        is_patch: bool = False,
    ) -> Tree:
        """Decode and fill in defaults; raise `StatusError` 400, or 422 for a patch."""
        self._check_kind(tree)
        try:
            decoded, unknown = self.rule.decode(tree)
        except DecodeError as error:
            raise self._undecodable(str(error), is_patch=is_patch) from error
        problems = [f'duplicate field "{field}"' for field in duplicates]
        problems += [f'unknown field "{field}"' for field in unknown]
        if problems and options.validation == "Strict":
            why = f"strict decoding error: {', '.join(problems)}"
            raise self._undecodable(why, is_patch=is_patch)
        if options.validation == "Warn":
            options.warnings.extend(problems)
        self.rule.default(decoded)
        if child(tree, "metadata").get("managedFields") == []:  # asks to forget all managers
            decoded["metadata"]["managedFields"] = []
        return decoded

    def _check_kind(self, tree: Tree) -> None:
        version, kind = text(tree, "apiVersion"), text(tree, "kind")
        if version and kind and (version, kind) != (self.kind.api_version, self.kind.kind):
            raise bad_request(
                f'{kind} in version "{version}" cannot be handled as a {self.kind.kind}'
            )

    def _undecodable(self, why: str, *, is_patch: bool) -> StatusError:
        if is_patch:
            return invalid(None, "", [Cause("FieldValueInvalid", f"Invalid value: {why}", "patch")])
        kind, version = self.kind.kind, self.kind.version
        if self.kind.is_custom:
            return bad_request(why)
        return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')

    def _place(self, tree: Tree, namespace: str) -> None:
        """Put it where the path says; raise `StatusError` 400 when it says another place.

        A namespace on what has none is dropped, as the real one does.
        """
        said = text(tree, "metadata", "namespace")
        if said and namespace and said != namespace:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        tree["metadata"].pop("namespace", None)
        if namespace:
            tree["metadata"]["namespace"] = namespace

    def _check_name(self, tree: Tree, key: Key) -> None:
        name = text(tree, "metadata", "name")
        if name and name != key[1]:
            why = f"the name of the object ({name}) does not match the name on the URL ({key[1]})"
            raise bad_request(why)
        tree["metadata"]["name"] = key[1]


def uid_conflict(kind: Kind, name: str, expected: str, found: str) -> StatusError:
    """409: the object was deleted and made anew since the client saw it."""
    why = f"Precondition failed: UID in precondition: {expected}, UID in object meta: {found}"
    return conflict(kind, name, why)


def _generate_name(tree: Tree) -> None:
    metadata = tree["metadata"]
    prefix = text(tree, "metadata", "generateName")
    if prefix and not metadata.get("name"):
        number = uuid.uuid4().int
        letters = ""
        for _ in range(GENERATED):
            number, index = divmod(number, len(_LETTERS))
            letters += _LETTERS[index]
        metadata["name"] = prefix[: 63 - GENERATED] + letters


def _doubled(duplicates: Duplicates) -> str:
    return ", ".join(f'key "{key}" already set in map' for key in duplicates)
