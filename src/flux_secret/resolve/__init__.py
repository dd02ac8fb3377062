"""Manifests → Bundle: every reference replaced by its value, every value checked."""
