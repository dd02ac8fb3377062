"""Job, CronJob, Pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from flux_secret.embedded.rules import pods, problem
from flux_secret.embedded.rules.rule import Rule
from flux_secret.embedded.status import Cause
from flux_secret.embedded.tree import Tree, child, equal, items, text

BACKOFF: Final = 6


class JobRule(Rule):
    """Jobs run to an end."""

    has_generation = True

    def default(self, tree: Tree) -> None:
        """batch/v1/defaults.go SetDefaults_Job."""
        default_job(tree.setdefault("spec", {}))

    def prepare_create(self, tree: Tree) -> None:
        """Select its pods by its own uid."""
        super().prepare_create(tree)
        spec, metadata = tree["spec"], tree["metadata"]
        if not spec.get("manualSelector"):
            labels = {
                "batch.kubernetes.io/controller-uid": metadata["uid"],
                "batch.kubernetes.io/job-name": metadata["name"],
                "controller-uid": metadata["uid"],
                "job-name": metadata["name"],
            }
            template = spec["template"].setdefault("metadata", {})
            template["labels"] = {**(template.get("labels") or {}), **labels}
            chosen = "batch.kubernetes.io/controller-uid"
            spec["selector"] = {"matchLabels": {chosen: metadata["uid"]}}

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check that its pods end."""
        spec = child(tree, "spec", "template", "spec")
        yield from pods.spec_problems(spec, "spec.template.spec")
        if text(spec, "restartPolicy") == "Always":
            field = "spec.template.spec.restartPolicy"
            yield problem.required(field, 'valid values: "OnFailure", "Never"')

    def update_problems(self, new: Tree, old: Tree) -> Iterator[Cause]:
        """Refuse to change template and selector."""
        yield from super().update_problems(new, old)
        for field in ("selector", "template"):
            before, after = child(old, "spec").get(field), child(new, "spec").get(field)
            if not equal(before, after):
                yield problem.invalid(f"spec.{field}", after, "field is immutable")


def default_job(spec: Tree) -> None:
    """Fill in what a job's spec left out."""
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", BACKOFF)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    has_policy = "podFailurePolicy" in spec
    spec.setdefault("podReplacementPolicy", "Failed" if has_policy else "TerminatingOrFailed")
    pods.default_template(spec.setdefault("template", {}))


class CronJobRule(Rule):
    """CronJobs make jobs, where there is a controller."""

    has_generation = True

    def default(self, tree: Tree) -> None:
        """batch/v1/defaults.go SetDefaults_CronJob."""
        spec = tree.setdefault("spec", {})
        spec.setdefault("concurrencyPolicy", "Allow")
        spec.setdefault("suspend", False)
        spec.setdefault("successfulJobsHistoryLimit", 3)
        spec.setdefault("failedJobsHistoryLimit", 1)
        job = spec.setdefault("jobTemplate", {}).setdefault("spec", {})
        pods.default_template(job.setdefault("template", {}))

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check for a schedule, and pods."""
        if not text(tree, "spec", "schedule"):
            yield problem.required("spec.schedule")
        spec = child(tree, "spec", "jobTemplate", "spec", "template", "spec")
        yield from pods.spec_problems(spec, "spec.jobTemplate.spec.template.spec")


class PodRule(Rule):
    """Pods wait for ever: nothing runs them here."""

    answers_deleted = True

    has_generation = True

    def default(self, tree: Tree) -> None:
        """core/v1/defaults.go SetDefaults_Pod."""
        spec = tree.setdefault("spec", {})
        pods.default_spec(spec)
        spec.setdefault("enableServiceLinks", True)

    def prepare_create(self, tree: Tree) -> None:
        """Leave it pending."""
        super().prepare_create(tree)
        tree["status"] = {"phase": "Pending", "qosClass": _quality(tree)}

    def problems(self, tree: Tree) -> Iterator[Cause]:
        """Check its containers."""
        yield from pods.spec_problems(child(tree, "spec"), "spec")


def _quality(tree: Tree) -> str:
    resources = [child(one, "resources") for one in items(tree, "spec", "containers")]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    wanted = {"cpu", "memory"}
    guaranteed = all(
        wanted <= child(one, "limits").keys() and equal(one.get("limits"), one.get("requests"))
        for one in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"
