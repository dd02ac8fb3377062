#!/bin/sh
# The root file system of the image, without a container engine:
#
#   deploy/image/rootfs.sh DIRECTORY [PYTHON]
#
# Debian's packages are fetched by apt, which checks their signatures, and unpacked; no script of
# theirs runs. The agent and what it needs is installed by PYTHON's pip from the hashed locks; PYTHON
# is of the same version as Debian's (default: .venv/bin/python). It needs no root.
# Kept: packages in $XDG_CACHE_HOME/flux-secret/debs.
set -eu
[ "$#" -ge 1 ] && [ ! -e "$1" ] || {
  echo "rootfs.sh: write rootfs.sh DIRECTORY [PYTHON], a directory that is not there yet" >&2
  exit 2
}
image=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$image/../.." && pwd)
python=${2:-$source/.venv/bin/python}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flux-secret/debs
mkdir -p "$cache/partial" "$1"
root=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# 1. What Debian's smallest image has of tools, and what ours adds; all dependencies, since nothing
#    counts as installed.
base="base-files bash coreutils dash diffutils findutils grep gzip libc-bin mawk sed tar util-linux"
wanted=$(sed '/^#/d' "$image/packages")
: >"$work/status"
get() { # FOLDER OPTION: what is in the folder is not named again
  folder=$1
  shift
  # shellcheck disable=SC2086 -- two lists of names
  apt-get -qq -y --no-install-recommends -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
    -o Dir::State::status="$work/status" -o Dir::Cache::archives="$folder" "$@" install $base $wanted
}
mkdir -p "$work/none/partial"
get "$work/none" --print-uris >"$work/uris"
get "$cache" --download-only >/dev/null
[ -s "$work/uris" ] || {
  echo "rootfs.sh: apt names no package; run apt-get update first" >&2
  exit 5
}

# 2. Unpack; since Debian 12 /bin and /lib are links into /usr.
for name in bin lib lib64 sbin; do
  mkdir -p "$root/usr/$name"
  ln -s "usr/$name" "$root/$name"
done
sed "s/^'[^']*' \([^ ]*\) .*/\1/" "$work/uris" | while read -r deb; do
  dpkg-deb --fsys-tarfile "$cache/$deb" |
    tar --extract --directory "$root" --keep-directory-symlink --no-same-owner
done

# 3. What the packages' scripts would have made.
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
[ -e "$root/bin/awk" ] || ln -s mawk "$root/bin/awk"
(cd "$root/usr/share/ca-certificates" && find . -name '*.crt' -exec cat {} +) \
  >"$root/etc/ssl/certs/ca-certificates.crt"
echo 'root:x:0:0:root:/root:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'flux:x:65532:65532:flux-secret:/tmp:/usr/sbin/nologin' >>"$root/etc/passwd"
printf 'root:x:0:\nflux:x:65532:\n' >"$root/etc/group"

# 4. The agent.
theirs=$(cd "$root/usr/bin" && readlink python3)
ours=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
[ "$theirs" = "$ours" ] || {
  echo "rootfs.sh: Debian has $theirs, and $python is $ours: name one of the same version" >&2
  exit 3
}
site=$root/usr/local/lib/$theirs/dist-packages
pip() { "$python" -m pip "$@" -q --disable-pip-version-check --no-input </dev/null; }
pip wheel --no-deps --no-build-isolation --wheel-dir "$work" "$source"
pip install --target "$site" --require-hashes -r "$source/requirements/runtime.txt"
"$python" -m zipfile --extract "$work"/flux_secret-*.whl "$site"
rm -rf "$root/usr/share/doc" "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/info"
sh "$image/finish.sh" "$root" "$theirs"

# 5. Where a pod has its volumes.
for name in etc/fluxd/gpg etc/fluxd/ssh etc/fluxd/known-hosts run/flux-secret var/cache/flux-secret \
  var/run/secrets/kubernetes.io/serviceaccount proc dev tmp; do
  mkdir -p "$root/$name"
done
