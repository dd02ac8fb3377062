"""The door to Kubernetes: a kubeconfig → a client that makes only the requests we need."""

from flux_secret.outside.kubernetes.annotation import SYNC_MARKER, SecretAnnotation
from flux_secret.outside.kubernetes.body import Json
from flux_secret.outside.kubernetes.client import (
    FIELD_MANAGER,
    Applied,
    Client,
    Preconditions,
    connect,
)
from flux_secret.outside.kubernetes.connection import Connection
from flux_secret.outside.kubernetes.discovery import Kinds, ServedKind, crd_kinds
from flux_secret.outside.kubernetes.failure import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
)
from flux_secret.outside.kubernetes.kubeconfig import in_cluster, load
from flux_secret.outside.kubernetes.live import LiveObject, ManagedEntry
from flux_secret.outside.kubernetes.transport import Limits, Traffic

__all__ = [
    "FIELD_MANAGER",
    "SYNC_MARKER",
    "AlreadyExistsError",
    "Applied",
    "Client",
    "ConflictError",
    "Connection",
    "Json",
    "Kinds",
    "Limits",
    "LiveObject",
    "ManagedEntry",
    "NotFoundError",
    "Preconditions",
    "SecretAnnotation",
    "ServedKind",
    "Traffic",
    "connect",
    "crd_kinds",
    "in_cluster",
    "load",
]
