"""The rules of custom resources, from their CustomResourceDefinition."""

from __future__ import annotations

from collections.abc import Iterator

from flux_secret.embedded.codec.golang import Decoder
from flux_secret.embedded.merge.fields import FieldSet
from flux_secret.embedded.merge.schema import Type
from flux_secret.embedded.rules import structural
from flux_secret.embedded.rules.rule import Rule, World
from flux_secret.embedded.schema.custom import drop_nulls, fill_in, merge_type, pruned
from flux_secret.embedded.schema.kinds import Kind, built_in
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, copied, equal


class CustomRule(Rule):
    """One version of one CustomResourceDefinition."""

    has_generation = True
    updates_unconditionally = False

    def __init__(self, kind: Kind, world: World, schema: Tree) -> None:
        super().__init__(kind, world)
        self._schema = schema
        self._merge_type = merge_type(schema)

    @property
    def merge_type(self) -> Type:
        """As the definition says."""
        return self._merge_type

    @property
    def status_ignored(self) -> FieldSet:
        """Writes to `/status` own no spec."""
        return FieldSet.of([("f:spec",)])

    def decode(self, tree: Tree, *, applied: bool = False) -> tuple[Tree, list[str]]:
        """Prune what the schema does not have."""
        decoder = Decoder()
        metadata = decoder.struct(
            tree.get("metadata"), built_in().shapes.struct("meta.v1.ObjectMeta"), "metadata"
        )
        unknown = decoder.unknown
        kept = pruned(copied(tree), self._schema, "", unknown)
        if not applied:  # an apply's result is not decoded again, so its nulls are seen
            drop_nulls(kept, self._schema)
        envelope = {"apiVersion": self.kind.api_version, "kind": self.kind.kind}
        return {**kept, **envelope, "metadata": metadata}, unknown

    def empty(self) -> Tree:
        """Nothing but what it is."""
        return {"apiVersion": self.kind.api_version, "kind": self.kind.kind}

    def default(self, tree: Tree) -> None:
        """Fill in the schema's defaults."""
        fill_in(tree, self._schema)

    def prepare_create(self, tree: Tree) -> None:
        """With a status subresource, the status is written through it only."""
        if self._has_status:
            tree.pop("status", None)
        tree["metadata"]["generation"] = 1

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Keep the status, and count what is new."""
        if self._has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copied(old["status"])
        if self.is_new_generation(new, old):
            new["metadata"]["generation"] = int(old["metadata"].get("generation", 0)) + 1

    def prepare_status(self, new: Tree, old: Tree) -> None:
        """Only the status, and whose it is."""
        status, managed = new.get("status"), new["metadata"].get("managedFields")
        new.clear()
        new.update(copied(old), apiVersion=self.kind.api_version)
        new.pop("status", None)
        if status is not None:
            new["status"] = status
        if managed is not None:
            new["metadata"]["managedFields"] = managed

    def is_new_generation(self, new: Tree, old: Tree) -> bool:
        """Anything but metadata, and but a status that has its own subresource."""
        ignored = {"metadata", "apiVersion"} | ({"status"} if self._has_status else set())
        before, after = ({k: v for k, v in one.items() if k not in ignored} for one in (old, new))
        return not equal(before, after)

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check it against the schema."""
        yield from structural.problems(tree, self._schema, "")
        yield from structural.duplicates(tree, self._schema, "")
