"""Server-side apply: which manager owns which field, and what an apply makes of an object.

Written after sigs.k8s.io/structured-merge-diff v6.3 (`typed`, `merge`) and the field managers of
k8s.io/apimachinery v0.34 (`util/managedfields/internal`), whose rules are cited where they stand.
"""
