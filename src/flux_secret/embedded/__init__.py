"""An in-memory Kubernetes API, good enough for the real kubectl.

`flux-secret demo` runs on it, and the behaviour tests use it as simulator. It is kept honest by
`tests/cluster/test_embedded_equals_real.py`. What it is not: a place where pods run. It has no
kubelet, no scheduler and no controllers; statuses stay as a control plane without them leaves them.

    async with EmbeddedCluster.serve() as cluster:
        cluster.write_kubeconfig(path)

From the outside in: `server` (HTTP), `api` (one request → one answer), `writing`, `reading`,
`deleting` (what the verbs do), `rules` (what kinds ask for), `merge` (who owns which field),
`codec` (how objects are stored), `store`.
"""

from __future__ import annotations

from flux_secret.embedded.cluster import EmbeddedCluster, serve_forever
from flux_secret.embedded.faults import Asked

__all__ = ["Asked", "EmbeddedCluster", "serve_forever"]
