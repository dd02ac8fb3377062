#!/bin/sh
# The walkthrough's postStart hook: initialize_gopass.sh URL STORE
#
# In 2019 it fetched gopass and cloned the store with it. Here it tells the agent, which may be
# running already, that there is such a store; the agent reads it itself. Keys are those of
# /root/gpg-import (FLUX_SECRET_GIT_GPG_KEY_IMPORT) and /etc/fluxd/ssh/identity, as mounted.
set -eu
if [ "$#" -ne 2 ] || [ -z "$1" ] || [ -z "$2" ]; then
  echo "initialize_gopass.sh: write initialize_gopass.sh URL STORE" >&2
  exit 2
fi
case $2 in
*/* | .* | -*)
  echo "initialize_gopass.sh: $2 is not a store's name here: use letters, digits, '_', '-', '.'" >&2
  exit 2 ;;
esac
stores=${FLUX_SECRET_STORES_FROM:-/run/flux-secret/stores}
umask 077
mkdir -p "$stores"
printf '%s\n' "$1" >"$stores/.$2.new"
mv "$stores/.$2.new" "$stores/$2" # at once: the agent never sees half an address
