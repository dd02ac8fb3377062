"""The fork server of supervisors: one job → one supervisor, forked.

Started by `supervisors.py`, with nothing of the agent's: its environment is empty, and all it knows
of a job is what the job says. A request's descriptors are a memory file that holds the `Job`, where
its two streams go, and its control socket. When the server ends, so does every supervisor.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from flux_secret.outside.supervision.confinement import Job
from flux_secret.outside.supervision.forkserver import ForkServer
from flux_secret.outside.supervision.supervisor import become_subreaper, supervise


def _become_supervisor(handles: Sequence[int], parent: int) -> int:
    request, stdout, stderr = handles
    with os.fdopen(request, "rb") as file:
        job = Job.unpacked(file.read())
    for handle, stream in ((stdout, 1), (stderr, 2)):
        os.dup2(handle, stream)
        os.close(handle)
    return supervise(job, parent)


def main(handle: int) -> None:
    """Serve requests from this socket."""
    become_subreaper()
    with socket.socket(fileno=handle) as requests:
        ForkServer(requests, _become_supervisor).serve()
