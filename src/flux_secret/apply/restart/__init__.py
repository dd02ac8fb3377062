"""Secrets that changed → the workloads that use them, restarted once each (docs/rotation.md).

`references`, `values`, `freeze`, `budget`, `record` and `noting` decide and are pure; `owned` and
`workloads` read, and `restarter` acts.
"""
