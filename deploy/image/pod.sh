#!/bin/bash
# Run a command in a root file system as the Deployment's pod runs it, without a container engine:
#
#   deploy/image/pod.sh ROOT [OPTION OF bwrap]... -- COMMAND [ARGUMENT]...
#
# User 65532, a read-only root, no capability, no new privileges, memory where the pod has memory,
# processes of its own, nothing of the environment but PATH. The network is the machine's. It needs
# root and bubblewrap. A pod has the runtime's seccomp filter on top of this.
set -euo pipefail
root=${1-}
options=()
while shift && [[ $# -gt 0 && $1 != -- ]]; do options+=("$1"); done
shift || true
if [[ $# -eq 0 ]]; then
  echo "pod.sh: write pod.sh ROOT [OPTION]... -- COMMAND [ARGUMENT]..." >&2
  exit 2
fi
umask 022
# bwrap gives no new privileges; setpriv takes what bwrap needed to become another user
exec bwrap --ro-bind "$root" / --proc /proc --dev /dev \
  --perms 1777 --tmpfs /tmp --perms 1777 --tmpfs /dev/shm \
  --perms 0777 --tmpfs /run/flux-secret --perms 0777 --tmpfs /var/cache/flux-secret \
  --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent --new-session \
  --clearenv --setenv PATH /usr/local/bin:/usr/bin:/bin --setenv HOME /tmp --chdir / \
  --cap-add CAP_SETUID --cap-add CAP_SETGID --cap-add CAP_SETPCAP \
  "${options[@]}" -- \
  /usr/bin/setpriv --reuid=65532 --regid=65532 --clear-groups --inh-caps=-all --bounding-set=-all \
  --no-new-privs "$@"
