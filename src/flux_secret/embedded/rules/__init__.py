"""What each kind makes of its objects: defaults, what a write may change, and what is refused.

After k8s.io/kubernetes v1.34: pkg/apis/*/v1/defaults.go, pkg/apis/*/validation, pkg/registry/*.
Only what a person meets is here; docs of the real thing hold where nothing is said.
"""
