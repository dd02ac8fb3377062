#!/bin/sh
# What image and root file system have of ours beside the packages: finish.sh ROOT PYTHON
set -eu
root=$1 site=/usr/local/lib/$2/dist-packages
mkdir -p "$root/usr/local/bin"
# -I: neither the folder it is started in nor anything of the environment is looked at for modules
printf '#!/usr/bin/python3 -I\nfrom flux_secret.cli.main import run\n\nrun()\n' \
  >"$root/usr/local/bin/flux-secret"
ln -sf "$site/bin/kubectl" "$root/usr/local/bin/kubectl"
cp "$(dirname "$0")/initialize_gopass.sh" "$root/usr/local/bin/initialize_gopass.sh"
chmod 0755 "$root/usr/local/bin/flux-secret" "$root/usr/local/bin/initialize_gopass.sh"
