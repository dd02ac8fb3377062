"""What every kind has in common; a kind of its own overrides what it does differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flux_secret.embedded.codec.golang import Decoder
from flux_secret.embedded.merge.fields import EMPTY, FieldSet
from flux_secret.embedded.merge.schema import Type
from flux_secret.embedded.rules import names, problem
from flux_secret.embedded.schema.kinds import Kind, built_in
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child, copied, equal, text

STATUS: FieldSet = FieldSet.of([("f:status",)])


@dataclass(frozen=True, slots=True)
class World:
    """What rules need from the cluster they are part of."""

    now: Callable[[], str]
    cluster_ip: Callable[[str], str]
    """Takes the asked address, or a free one for `""`; raises `ValueError`."""
    free_ip: Callable[[str], None]
    node_port: Callable[[int], int]
    free_port: Callable[[int], None]


class Rule:
    """The rules of one kind; this one is right for kinds without any of their own."""

    resets_status = True
    """Whether writes to the object itself never touch its status."""
    has_generation = False
    creates_on_update = False
    updates_unconditionally = True
    answers_deleted = False
    """Whether a delete answers with the object rather than a `Status` (ReturnDeletedObject)."""

    protection = ""
    """A finalizer that its controller would take away as soon as nothing uses it."""

    def __init__(self, kind: Kind, world: World) -> None:
        self.kind = kind
        self.world = world

    @property
    def merge_type(self) -> Type:
        """How its fields are merged."""
        return built_in().merge_types.struct(self.kind.struct)

    @property
    def ignored(self) -> FieldSet:
        """What a write to the object itself never owns."""
        return STATUS if self._has_status and self.resets_status else EMPTY

    @property
    def status_ignored(self) -> FieldSet:
        """What a write to `/status` never owns."""
        return FieldSet.of([("f:spec",), ("f:metadata", "f:labels")])

    @property
    def _has_status(self) -> bool:
        return "status" in self.kind.subresources

    # -- from the wire --

    def decode(self, tree: Tree, *, applied: bool = False) -> tuple[Tree, list[str]]:
        """Give the object as it is kept, and the fields that its kind does not have.

        `applied` says that it comes from the field manager, not from a client.
        """
        del applied
        decoder = Decoder()
        decoded = decoder.struct(tree, built_in().struct(self.kind))
        decoded = {"apiVersion": self.kind.api_version, "kind": self.kind.kind} | decoded
        self.fold(decoded)
        return decoded, decoder.unknown

    def empty(self) -> Tree:
        """Give the object before it is created."""
        return self.decode({"apiVersion": self.kind.api_version, "kind": self.kind.kind})[0]

    def fold(self, tree: Tree) -> None:
        """Do what the conversion to the stored form does."""

    def default(self, tree: Tree) -> None:
        """Fill in what was left out."""

    # -- before it is stored --

    def prepare_create(self, tree: Tree) -> None:
        """Set what a client cannot."""
        if self._has_status and self.resets_status:
            tree.pop("status", None)
            if "status" in (empty := self.empty()):
                tree["status"] = empty["status"]
        if self.has_generation:
            tree["metadata"]["generation"] = 1

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Keep what a client cannot change."""
        if self._has_status and self.resets_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copied(old["status"])
        if self.has_generation and self.is_new_generation(new, old):
            new["metadata"]["generation"] = int(old["metadata"].get("generation", 0)) + 1

    def prepare_status(self, new: Tree, old: Tree) -> None:
        """Keep everything but the status."""
        status = new.get("status")
        metadata = dict(new["metadata"])
        metadata["labels"] = copied(child(old, "metadata", "labels"))
        if not metadata["labels"]:
            del metadata["labels"]
        new.clear()
        new.update(copied(old), metadata=metadata)
        new.pop("status", None)
        if status is not None:
            new["status"] = status

    def is_new_generation(self, new: Tree, old: Tree) -> bool:
        """Whether somebody wants something else now."""
        return not equal(new.get("spec"), old.get("spec"))

    def allocate(self, tree: Tree) -> None:
        """Take what it needs of the cluster, once it is valid."""

    def release(self, tree: Tree) -> None:
        """Give back what it took."""

    # -- what is refused --

    def name_problems(self, name: str) -> list[str]:
        """Say why this is no name for it."""
        return names.subdomain(name)

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Say what is wrong with an object."""
        del tree
        yield from ()

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Say what is wrong with a change."""
        del old
        yield from self.problems(new)

    def create_causes(self, tree: Tree) -> list[Cause]:
        """Give everything that is wrong with a new object."""
        return [*self._metadata_problems(tree), *self.problems(tree)]

    def update_causes(self, new: Tree, old: Tree) -> list[Cause]:
        """Give everything that is wrong with a change."""
        return [
            *self._metadata_problems(new, on_create=False),
            *_immutable_metadata(new, old),
            *self.update_problems(new, old),
        ]

    def _metadata_problems(self, tree: Tree, *, on_create: bool = True) -> Iterator[Cause]:
        name = text(tree, "metadata", "name")
        if on_create:
            if not name:
                yield problem.required("metadata.name", "name or generateName is required")
            else:
                wrong = self.name_problems(name)
                yield from (problem.invalid("metadata.name", name, why) for why in wrong)
        yield from names.labels_problems(child(tree, "metadata", "labels"), "metadata.labels")
        yield from names.annotations_problems(tree, "metadata.annotations")


def _immutable_metadata(new: Tree, old: Tree) -> Iterator[Cause]:
    """ValidateObjectMetaAccessorUpdate."""
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"):
        after, before = child(new, "metadata").get(field), child(old, "metadata").get(field)
        if after != before:
            yield problem.invalid(f"metadata.{field}", after, "field is immutable")
    if "deletionTimestamp" in child(old, "metadata"):
        before_all = child(old, "metadata").get("finalizers") or []
        added = [one for one in child(new, "metadata").get("finalizers") or []
                 if one not in before_all]  # fmt: skip
        if added:
            listed = ", ".join(f'"{one}"' for one in added)
            why = "no new finalizers can be added if the object is being deleted, found new "
            why += f"finalizers []string{{{listed}}}"
            yield problem.forbidden("metadata.finalizers", why)
