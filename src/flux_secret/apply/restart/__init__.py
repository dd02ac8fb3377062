"""Secrets that changed → the workloads that use them, restarted once each (docs/rotation.md).

`references`, `values`, `consumers`, `owned`, `freeze`, `budget` and `record` decide and are pure;
`workloads`, `pods` and `rollouts` read, `records` reads and writes, `turn` and `restarter` act.
"""
