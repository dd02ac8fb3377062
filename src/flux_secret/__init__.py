"""Secrets from gopass to Kubernetes applications, by GitOps."""

__version__ = "0.1.0"
