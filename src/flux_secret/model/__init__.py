"""The words of flux-secret: frozen, pure, no I/O (docs/architecture.md)."""
