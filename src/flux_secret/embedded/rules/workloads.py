"""Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.merge.fields import FieldSet
from flux_secret.embedded.rules import pods, problem
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child, equal, text, text_map

REVISIONS: Final = 10
PROGRESS_SECONDS: Final = 600
_IMMUTABLE: Final = "field is immutable"


class WorkloadRule(Rule):
    """A pod template and a selector."""

    has_generation = True

    def default(self, tree: Tree) -> None:
        """Fill in what was left out."""
        spec = tree.setdefault("spec", {})
        pods.default_template(spec.setdefault("template", {}))
        self.default_spec(spec)

    def default_spec(self, spec: Tree) -> None:
        """Fill in what the kind itself adds to a template."""
        spec.setdefault("replicas", 1)

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check that the selector selects the pods of the template, and that it makes some."""
        spec = child(tree, "spec")
        yield from _not_negative(spec, "replicas")
        yield from self.selector_problems(spec)
        yield from pods.spec_problems(child(spec, "template", "spec"), "spec.template.spec")
        policy = text(spec, "template", "spec", "restartPolicy")
        if policy != "Always":
            yield problem.unsupported("spec.template.spec.restartPolicy", policy, ["Always"])

    def selector_problems(self, spec: Tree) -> Iterator[Cause]:
        """Check that there is one, and that it selects the labels of the template."""
        selector = spec.get("selector")
        if selector is None:
            yield problem.required("spec.selector")
        elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
            yield problem.invalid(
                "spec.selector", selector, "empty selector is invalid for deployment"
            )
        labels = text_map(spec, "template", "metadata", "labels")
        wanted = text_map(selector, "matchLabels")
        if not wanted or any(labels.get(key) != value for key, value in wanted.items()):
            why = "`selector` does not match template `labels`"
            yield problem.invalid("spec.template.metadata.labels", labels, why)

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to change the selector."""
        yield from super().update_problems(new, old)
        before, after = child(old, "spec").get("selector"), child(new, "spec").get("selector")
        if not equal(before, after):
            yield problem.invalid("spec.selector", after, _IMMUTABLE)


class DeploymentRule(WorkloadRule):
    """Deployments roll."""

    @property
    def status_ignored(self) -> FieldSet:
        """Labels can be owned through `/status` no more than spec can."""
        return FieldSet.of([("f:spec",), ("f:metadata", "f:labels")])

    def is_new_generation(self, new: Tree, old: Tree) -> bool:
        """Count annotations too: rollout history is written there."""
        before, after = (child(one, "metadata", "annotations") for one in (old, new))
        return super().is_new_generation(new, old) or not equal(before, after)

    def default_spec(self, spec: Tree) -> None:
        """apps/v1/defaults.go SetDefaults_Deployment."""
        super().default_spec(spec)
        strategy = spec.setdefault("strategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")
        spec.setdefault("revisionHistoryLimit", REVISIONS)
        spec.setdefault("progressDeadlineSeconds", PROGRESS_SECONDS)

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check for a strategy that there is."""
        yield from super().problems(tree)
        strategy = child(tree, "spec", "strategy")
        kind = text(strategy, "type")
        if kind == "Recreate" and strategy.get("rollingUpdate") is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            yield problem.forbidden("spec.strategy.rollingUpdate", why)
        elif kind not in {"Recreate", "RollingUpdate"}:
            supported = ["Recreate", "RollingUpdate"]
            yield problem.unsupported("spec.strategy.type", kind, supported)


class StatefulSetRule(WorkloadRule):
    """StatefulSets keep their pods' names."""

    def default_spec(self, spec: Tree) -> None:
        """apps/v1/defaults.go SetDefaults_StatefulSet."""
        super().default_spec(spec)
        spec.setdefault("podManagementPolicy", "OrderedReady")
        strategy = spec.setdefault("updateStrategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        retention.setdefault("whenDeleted", "Retain")
        retention.setdefault("whenScaled", "Retain")
        spec.setdefault("revisionHistoryLimit", REVISIONS)
        for claim in spec.get("volumeClaimTemplates") or []:
            claim.setdefault("apiVersion", "v1")
            claim.setdefault("kind", "PersistentVolumeClaim")
            claim.setdefault("status", {}).setdefault("phase", "Pending")
            claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


class DaemonSetRule(WorkloadRule):
    """DaemonSets run everywhere."""

    _GENERATION: Final = "deprecated.daemonset.template.generation"

    def default_spec(self, spec: Tree) -> None:
        """apps/v1/defaults.go SetDefaults_DaemonSet."""
        strategy = spec.setdefault("updateStrategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)
        spec.setdefault("revisionHistoryLimit", REVISIONS)

    def default(self, tree: Tree) -> None:
        """Count templates, as old clients expect (apps/v1/conversion.go)."""
        super().default(tree)
        tree["metadata"].setdefault("annotations", {}).setdefault(self._GENERATION, "0")

    def prepare_create(self, tree: Tree) -> None:
        """Count the first template."""
        super().prepare_create(tree)
        tree["metadata"]["annotations"][self._GENERATION] = "1"

    def prepare_update(self, new: Tree, old: Tree) -> None:
        """Count templates, as old clients expect."""
        super().prepare_update(new, old)
        count = int(child(old, "metadata", "annotations").get(self._GENERATION, "0"))
        templates = [child(one, "spec", "template") for one in (new, old)]
        count += not equal(*templates)
        new["metadata"].setdefault("annotations", {})[self._GENERATION] = str(count)


class ControllerRule(WorkloadRule):
    """ReplicationControllers select by plain labels."""

    def default(self, tree: Tree) -> None:
        """Take the template's labels where it has none of its own."""
        super().default(tree)
        labels = text_map(tree, "spec", "template", "metadata", "labels")
        if labels and not child(tree, "metadata", "labels"):
            tree["metadata"]["labels"] = labels

    def default_spec(self, spec: Tree) -> None:
        """Select what the template makes (SetDefaults_ReplicationController)."""
        super().default_spec(spec)
        labels = text_map(spec, "template", "metadata", "labels")
        if labels and not spec.get("selector"):
            spec["selector"] = labels

    def selector_problems(self, spec: Tree) -> Iterator[Cause]:
        """Check that there is one, and that it selects the labels of the template."""
        selector = spec.get("selector") or {}
        if not selector:
            yield problem.required("spec.selector")
        labels = text_map(spec, "template", "metadata", "labels")
        if any(labels.get(key) != value for key, value in selector.items()):
            why = "`selector` does not match template `labels`"
            yield problem.invalid("spec.template.metadata.labels", labels, why)

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Let its selector change."""
        del old
        yield from self.problems(new)


def _not_negative(spec: Tree, field: str) -> Iterator[Cause]:
    value = spec.get(field, 0)
    if isinstance(value, int) and value < 0:
        why = "must be greater than or equal to 0"
        yield problem.invalid(f"spec.{field}", value, why)
