"""One request → one answer, without a network: the cluster as a function.

Watches are the exception: they are streams, and `server` asks `watching` for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from flux_secret.embedded import bodies, render
from flux_secret.embedded.address import Address
from flux_secret.embedded.catalog import Served
from flux_secret.embedded.codec.body import Duplicates, read_json
from flux_secret.embedded.deleting import Deleter
from flux_secret.embedded.faults import Faults
from flux_secret.embedded.options import WriteOptions, write_options
from flux_secret.embedded.patches.merge import merge_patch
from flux_secret.embedded.patches.pointer import PatchError, json_patch
from flux_secret.embedded.patches.strategic import strategic_patch
from flux_secret.embedded.reading import Query, Reader
from flux_secret.embedded.review import REVIEW, allowed_review
from flux_secret.embedded.scaling import SCALE_STRUCT, scale_of, scaled
from flux_secret.embedded.schema.kinds import built_in
from flux_secret.embedded.state import State
from flux_secret.embedded.status import (
    StatusError,
    bad_request,
    method_not_allowed,
    no_such_resource,
    unsupported_media_type,
)
from flux_secret.embedded.store import key_of
from flux_secret.embedded.tables.columns import columns_of
from flux_secret.embedded.tree import Tree, child
from flux_secret.embedded.writing import Patcher, Writer

APPLY_PATCH: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, read but not understood yet."""

    verb: str
    address: Address
    query: Mapping[str, str]
    untrusted_body: bytes = b""
    content_type: str = ""
    accept: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    tree: Tree
    code: int = HTTPStatus.OK
    warnings: list[str] = field(default_factory=list)


class Api:
    """Answers requests about objects."""

    def __init__(self, state: State, faults: Faults) -> None:
        self._state = state
        self._faults = faults

    def answer(self, request: Request) -> Answer:
        """Answer anything but a watch; raise `StatusError`."""
        served = self.served(request.address)
        if not request.address.subresource and request.verb not in served.kind.verbs:
            raise method_not_allowed(served.kind, request.verb)
        if request.address.subresource == "scale":
            return self._scale(request, served)
        form = self._form(request)
        if request.verb == "create" and served.kind.kind == REVIEW:
            review = allowed_review(self._sent(request, served, Duplicates()), self._faults)
            return Answer(review, HTTPStatus.CREATED)
        handlers = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        if request.verb not in handlers:
            raise method_not_allowed(served.kind, request.verb)
        return handlers[request.verb](request, served, form)

    def _get(self, request: Request, served: Served, form: render.Form) -> Answer:
        key = (request.address.namespace, request.address.name)
        return Answer(form.one(self._reader(served).get(key), self._columns(served)))

    def _list(self, request: Request, served: Served, form: render.Form) -> Answer:
        query = Query.read(served.kind, request.address.namespace, request.query)
        return Answer(form.many(self._reader(served).list(query), self._columns(served)))

    def served(self, address: Address) -> Served:
        """Find what is addressed; raise `StatusError` 404."""
        found = self._state.catalog.find(address.group, address.version, address.plural)
        if found is None or (address.namespace and not found.kind.namespaced):
            raise no_such_resource()
        if address.subresource and address.subresource not in self._subresources(found):
            raise no_such_resource()
        if address.name and found.kind.namespaced and not address.namespace:
            raise no_such_resource()
        return found

    @staticmethod
    def _subresources(served: Served) -> set[str]:
        return {"status", "scale"} & set(served.kind.subresources)

    def watching(self, request: Request) -> AsyncIterator[Tree | None]:
        """Give the events of a watch, for ever; None when nothing came for a while."""
        served = self.served(request.address)
        fields = request.query.get("fieldSelector", "")
        if request.address.name:
            fields = ",".join(filter(None, [fields, f"metadata.name={request.address.name}"]))
        namespace = request.address.namespace
        query = Query.read(served.kind, namespace, {**request.query, "fieldSelector": fields})
        return self._events(request, served, query)

    async def _events(
        self, request: Request, served: Served, query: Query
    ) -> AsyncIterator[Tree | None]:
        form, columns, first = self._form(request), self._columns(served), True
        is_asked = {name: request.query.get(name) in {"true", "1"}
                    for name in ("allowWatchBookmarks", "sendInitialEvents")}  # fmt: skip
        events = self._reader(served).watch(
            query, bookmarks=is_asked["allowWatchBookmarks"], initial=is_asked["sendInitialEvents"]
        )
        try:
            async for event in events:
                if event is None:
                    if not self._is_served(request.address):
                        return  # its definition was deleted, and a real one ends the watch too
                    yield None
                    continue
                yield form.event(*event, columns, first=first)
                first = first and event[0] == "BOOKMARK"
        except StatusError as error:
            yield form.event("ERROR", error.tree, columns, first=first)

    def _is_served(self, address: Address) -> bool:
        return self._state.catalog.find(address.group, address.version, address.plural) is not None

    # -- writes --

    def _create(self, request: Request, served: Served, form: render.Form) -> Answer:
        options = write_options(request.query, request.user_agent, "CreateOptions")
        duplicates = Duplicates()
        sent = self._sent(request, served, duplicates)
        writer = self._writer(served)
        tree = writer.create(request.address.namespace, sent, options, duplicates)
        self._wrote(served, tree, options)
        shown = form.one(tree, self._columns(served))
        return Answer(shown, HTTPStatus.CREATED, options.warnings)

    def _update(self, request: Request, served: Served, form: render.Form) -> Answer:
        options = write_options(request.query, request.user_agent, "UpdateOptions")
        duplicates = Duplicates()
        sent = self._sent(request, served, duplicates)
        key = (request.address.namespace, request.address.name)
        writer = self._writer(served, request.address.subresource)
        written = writer.update(key, sent, options, duplicates)
        self._wrote(served, written.tree, options)
        code = HTTPStatus.CREATED if written.created else HTTPStatus.OK
        return Answer(form.one(written.tree, self._columns(served)), code, options.warnings)

    def _patch(self, request: Request, served: Served, form: render.Form) -> Answer:
        is_apply = request.content_type == APPLY_PATCH
        accepted = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
        if not served.kind.is_custom:
            accepted.insert(2, STRATEGIC_PATCH)
        if request.content_type not in accepted:
            raise unsupported_media_type(accepted)
        options = write_options(
            request.query, request.user_agent, "PatchOptions", is_apply=is_apply
        )
        duplicates = Duplicates()
        key = (request.address.namespace, request.address.name)
        writer = self._writer(served, request.address.subresource)
        if is_apply:
            applied = bodies.applied(request.untrusted_body, duplicates)
            written = writer.apply(key, applied, options, duplicates)
        else:
            patcher = self._patcher(request, served, duplicates)
            written = writer.patch(key, patcher, options, duplicates)
        self._wrote(served, written.tree, options)
        code = HTTPStatus.CREATED if written.created else HTTPStatus.OK
        return Answer(form.one(written.tree, self._columns(served)), code, options.warnings)

    @staticmethod
    def _patcher(request: Request, served: Served, duplicates: Duplicates) -> Patcher:
        patch = read_json(request.untrusted_body, duplicates)
        if isinstance(patch, list) is not (request.content_type == JSON_PATCH):
            raise bad_request("error decoding patch: it is of a wrong type")

        def patched(live: Tree) -> Tree:
            try:
                if request.content_type == JSON_PATCH:
                    tree = json_patch(live, patch)
                elif request.content_type == MERGE_PATCH:
                    tree = merge_patch(live, patch)
                else:
                    tree = strategic_patch(live, patch, built_in().struct(served.kind))
            except PatchError as error:
                # the real one has no more to say of it either (NewGenericServerResponse)
                message = "the server rejected our request due to an error in our request"
                code = HTTPStatus.UNPROCESSABLE_ENTITY
                raise StatusError(code, "Invalid", message) from error
            if not isinstance(tree, dict):
                raise bad_request("the patched value is no object")
            return tree

        return patched

    def _scale(self, request: Request, served: Served) -> Answer:
        key = (request.address.namespace, request.address.name)
        live = self._reader(served).get(key)
        if request.verb == "get":
            return Answer(scale_of(live))
        duplicates = Duplicates()
        if request.verb == "update":
            shape = built_in().shapes.struct(SCALE_STRUCT)
            sent = bodies.sent(request.untrusted_body, request.content_type, shape, duplicates)
        elif request.verb == "patch" and request.content_type in (MERGE_PATCH, STRATEGIC_PATCH):
            sent = merge_patch(scale_of(live), read_json(request.untrusted_body, duplicates))
        else:
            raise unsupported_media_type((MERGE_PATCH, STRATEGIC_PATCH))
        kind = "UpdateOptions" if request.verb == "update" else "PatchOptions"
        options = write_options(request.query, request.user_agent, kind)
        writer = self._writer(served, "scale")
        written = writer.update(key, scaled(live, sent), options, duplicates)
        return Answer(scale_of(written.tree), HTTPStatus.OK, options.warnings)

    def _delete(self, request: Request, served: Served, form: render.Form) -> Answer:
        options = bodies.delete_options(request.untrusted_body, request.query)
        key = (request.address.namespace, request.address.name)
        dry_run = self._is_dry(request, options)
        tree = self._deleter.delete(served, key, options, dry_run=dry_run)
        return Answer(form.one(tree, self._columns(served)))

    def _delete_collection(self, request: Request, served: Served, form: render.Form) -> Answer:
        options = bodies.delete_options(request.untrusted_body, request.query)
        query = Query.read(served.kind, request.address.namespace, request.query)
        listed = self._reader(served).list(query)
        for tree in listed["items"]:
            metadata = child(tree, "metadata")
            key = (metadata.get("namespace", ""), metadata["name"])
            self._deleter.delete(served, key, options, dry_run=self._is_dry(request, options))
        return Answer(form.many(listed, self._columns(served)))

    # -- parts --

    @staticmethod
    def _sent(request: Request, served: Served, duplicates: Duplicates) -> Tree:
        shape = None if served.kind.is_custom else built_in().struct(served.kind)
        return bodies.sent(request.untrusted_body, request.content_type, shape, duplicates)

    def _wrote(self, served: Served, tree: Tree, options: WriteOptions) -> None:
        """Do what follows from a write; the last finalizer's removal is a deletion."""
        resource = (served.kind.group, served.kind.plural)
        if options.dry_run:
            return
        if self._state.store.find(resource, key_of(tree)) is None:
            self._deleter.finish(served, tree)
        else:
            self._state.after_write(served, tree)

    def _reader(self, served: Served) -> Reader:
        return Reader(self._state.store, served.kind)

    def _writer(self, served: Served, subresource: str = "") -> Writer:
        state = self._state
        return Writer(state.store, served.kind, served.rule, state.now, subresource)

    @staticmethod
    def _is_dry(request: Request, options: Tree) -> bool:
        return request.query.get("dryRun") == "All" or options.get("dryRun") == ["All"]

    @property
    def _deleter(self) -> Deleter:
        state = self._state
        return Deleter(state.store, state.catalog, state.now, state.after_delete)

    @staticmethod
    def _form(request: Request) -> render.Form:
        return render.Form.read(request.accept, request.query.get("includeObject", ""))

    def _columns(self, served: Served) -> render.Columns:
        return columns_of(served.kind, self._state.columns(served.kind))
