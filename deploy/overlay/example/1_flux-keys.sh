#!/bin/sh
# The walkthrough's 1_flux-gpg-key.yaml-template.sh: gopass → the Secrets that the agent mounts.
#
#   STORE=yourstore CLUSTERNAME=prod ./1_flux-keys.sh [KUBECTL OPTIONS]
#
# The keys stand in this shell's memory and in pipes: in no file, argument or environment. All are
# read before anything is sent, and a read that fails or is no key sends nothing. `--server-side`,
# and what removes the annotation, keep them out of last-applied-configuration.
# `flux-secret install --apply` does the same, and looks into the keys.
set -eu
if [ -z "${STORE+set}" ] || [ -z "${CLUSTERNAME-}" ]; then # an empty STORE is the root store
  echo "$0: write STORE=yourstore CLUSTERNAME=prod $0" >&2
  exit 2
fi
namespace=${NAMESPACE:-flux}
folder=${STORE:+$STORE/}technical/k8s/$CLUSTERNAME/flux

entry() { # ENTRY BEGINNING → its text, which must begin so
  text=$("${GOPASS:-gopass}" show -n "$folder/$1" </dev/null) || {
    echo "$0: $folder/$1 cannot be read" >&2
    return 4
  }
  case $text in
  "$2"*) printf '%s\n' "$text" ;; # printf is the shell's own: the key is no program's argument
  *)
    echo "$0: $folder/$1 does not begin with '$2'" >&2
    return 4
    ;;
  esac
}

gpg_private=$(entry gpg-private-key "-----BEGIN PGP PRIVATE KEY BLOCK-----")
ssh_private=$(entry ssh-private-key "-----BEGIN ")
gpg_public=$(entry gpg-public-key "-----BEGIN PGP PUBLIC KEY BLOCK-----")
ssh_public=$(entry ssh-public-key "ssh-")
gpg_private=$(printf '%s\n' "$gpg_private" | base64 | tr -d '\n')
ssh_private=$(printf '%s\n' "$ssh_private" | base64 | tr -d '\n')
gpg_public=$(printf '%s\n' "$gpg_public" | sed 's/^/    /')
for value in "$gpg_private" "$ssh_private" "$gpg_public" "$ssh_public"; do
  [ -n "$value" ] || {
    echo "$0: base64 or sed printed nothing" >&2
    exit 4
  }
done

{
  printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels:\n' "$namespace"
  printf '    app.kubernetes.io/name: flux-secret\n'
  printf '    pod-security.kubernetes.io/enforce: restricted\n---\n'
  printf 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: flux-gpg-keys\n'
  printf '  namespace: %s\ndata:\n  flux.asc: "' "$namespace"
  printf '%s' "$gpg_private"
  printf '"\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: flux-ssh-config\n'
  printf '  namespace: %s\ndata:\n  identity: "' "$namespace"
  printf '%s' "$ssh_private"
  printf '"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: flux-identity\n'
  printf '  namespace: %s\ndata:\n  flux.pub.asc: |\n%s\n' "$namespace" "$gpg_public"
  printf '  identity.pub: |\n    %s\n' "$ssh_public"
} | kubectl "$@" apply --server-side --force-conflicts --field-manager=flux-secret -f -

# what an earlier `kubectl apply` left: the whole Secret, in clear but for base64
kubectl "$@" --namespace "$namespace" annotate secret flux-gpg-keys flux-ssh-config \
  kubectl.kubernetes.io/last-applied-configuration- >/dev/null
