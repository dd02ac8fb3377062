"""The door to Kubernetes: a kubeconfig → a client that makes only the requests we need."""

from flux_secret.outside.kubernetes.annotation import SYNC_MARKER, SecretAnnotation
from flux_secret.outside.kubernetes.body import Json
from flux_secret.outside.kubernetes.client import (
    EVENTS,
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
    ExpiredError,
    NotFoundError,
)
from flux_secret.outside.kubernetes.kubeconfig import in_cluster, load
from flux_secret.outside.kubernetes.live import LiveObject, ManagedEntry
from flux_secret.outside.kubernetes.tls import context
from flux_secret.outside.kubernetes.transport import Limits, Traffic
from flux_secret.outside.kubernetes.watch import (
    BusyError,
    Following,
    Gone,
    Reflector,
    Synced,
    Told,
    Troubled,
    Upsert,
)

__all__ = [
    "EVENTS",
    "FIELD_MANAGER",
    "SYNC_MARKER",
    "AlreadyExistsError",
    "Applied",
    "BusyError",
    "Client",
    "ConflictError",
    "Connection",
    "ExpiredError",
    "Following",
    "Gone",
    "Json",
    "Kinds",
    "Limits",
    "LiveObject",
    "ManagedEntry",
    "NotFoundError",
    "Preconditions",
    "Reflector",
    "SecretAnnotation",
    "ServedKind",
    "Synced",
    "Told",
    "Traffic",
    "Troubled",
    "Upsert",
    "connect",
    "context",
    "crd_kinds",
    "in_cluster",
    "load",
]
