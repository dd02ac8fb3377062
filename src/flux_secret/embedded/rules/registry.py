"""A kind → its rules."""

from __future__ import annotations

from typing import Final

from flux_secret.embedded.rules import core, definition, jobs, network, workloads
from flux_secret.embedded.rules.rule import Rule, World
from flux_secret.embedded.schema.kinds import Kind

_CORE: Final[dict[str, type[Rule]]] = {
    "ConfigMap": core.ConfigMapRule,
    "Endpoints": core.EndpointsRule,
    "Event": core.EventRule,
    "LimitRange": core.LimitRangeRule,
    "Namespace": core.NamespaceRule,
    "PersistentVolume": core.VolumeRule,
    "PersistentVolumeClaim": core.ClaimRule,
    "Pod": jobs.PodRule,
    "ReplicationController": workloads.ControllerRule,
    "ResourceQuota": core.AnsweringRule,
    "Secret": core.SecretRule,
    "ServiceAccount": core.AnsweringRule,
    "Service": network.ServiceRule,
}
_RULES: Final[dict[tuple[str, str], type[Rule]]] = {
    **{("", kind): rule for kind, rule in _CORE.items()},
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition.DefinitionRule,
    ("apps", "DaemonSet"): workloads.DaemonSetRule,
    ("apps", "Deployment"): workloads.DeploymentRule,
    ("apps", "ReplicaSet"): workloads.WorkloadRule,
    ("apps", "StatefulSet"): workloads.StatefulSetRule,
    ("autoscaling", "HorizontalPodAutoscaler"): network.AutoscalerRule,
    ("batch", "CronJob"): jobs.CronJobRule,
    ("batch", "Job"): jobs.JobRule,
    ("networking.k8s.io", "Ingress"): network.IngressRule,
    ("networking.k8s.io", "NetworkPolicy"): network.PolicyRule,
    ("policy", "PodDisruptionBudget"): network.BudgetRule,
    ("coordination.k8s.io", "Lease"): core.UpsertRule,
    ("rbac.authorization.k8s.io", "ClusterRole"): core.PathNamedRule,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): core.BindingRule,
    ("rbac.authorization.k8s.io", "Role"): core.PathNamedRule,
    ("rbac.authorization.k8s.io", "RoleBinding"): core.BindingRule,
}


def rule_for(kind: Kind, world: World) -> Rule:
    """Give the rules of a built-in kind."""
    return _RULES.get((kind.group, kind.kind), Rule)(kind, world)
