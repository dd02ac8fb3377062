"""Checkout → Manifests: .flux.yaml generators, scripts, kustomize, plain YAML."""
