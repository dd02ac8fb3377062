"""Installation and keys → the bundle that puts the agent into a cluster: `flux-secret install`.

What is installed stands in `manifests`, which `deploy` shows to people who use kustomize.
"""
