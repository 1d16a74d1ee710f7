#!/bin/sh
# Sets up whatever is missing (Debian packages, npm packages), then runs a program of this project with the pinned Node:
#   ./setup.sh host-harness/cli.ts chain --generations 3
# Called by `npm run chain`, `npm test` and the other npm scripts; needs Debian's own node and npm to start with. Images are
# built by the programs that need them. Everything printed here goes to stderr: stdout belongs to the program.
set -eu
from=$PWD
cd "$(dirname "$0")"

say() { echo "setup: $*" >&2; }

# Command that shows whether a package is there : Debian package that brings it.
needs='
qemu-system-x86_64:qemu-system-x86
qemu-system-aarch64:qemu-system-arm
dnsmasq:dnsmasq-base
nft:nftables
ip:iproute2
unshare:util-linux
mksquashfs:squashfs-tools
cpio:cpio
zstd:zstd
xz:xz-utils
depmod:kmod
readelf:binutils
x86_64-linux-gnu-strip:binutils-x86-64-linux-gnu
aarch64-linux-gnu-strip:binutils-aarch64-linux-gnu
busybox:busybox-static
icupkg:icu-devtools
qemu-aarch64-static:qemu-user-static
curl:curl
git:git
strace:strace
shellcheck:shellcheck
mkfs.ext4:e2fsprogs
mmdebstrap:mmdebstrap
arch-test:arch-test
gcc:gcc
gcc:libc6-dev
'
# A rootfs has files of several users (images/as-root.sh).
[ "$(id -u)" = 0 ] || needs="$needs newuidmap:uidmap"

debian_packages() {
  command -v apt-get >/dev/null || { say "no apt-get here: have these installed yourself:$(echo "$needs" | sed 's/.*://' | tr '\n' ' ')"; return 0; }
  missing=
  for need in $needs; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${need%%:*}" >/dev/null || missing="$missing ${need##*:}"
  done
  [ -n "$missing" ] || return 0
  as_root=
  if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    if ! command -v sudo >/dev/null || ! sudo -v; then
      say "these Debian packages are missing, and this is neither root nor can it use sudo. Have them installed, then run this again:"
      echo "  apt-get install --no-install-recommends$missing" >&2
      exit 69
    fi
  fi
  say "installing Debian packages:$missing"
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2
  # shellcheck disable=SC2086 # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing >&2 </dev/null
}

npm_packages() {
  stamp=node_modules/.lock-digest
  digest=$(sha256sum package-lock.json | cut -d' ' -f1)
  [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ] || return 0
  # Two at once, from two terminals, would take each other's files away.
  exec 9<package-lock.json
  ! command -v flock >/dev/null || flock 9
  [ "$(cat "$stamp" 2>/dev/null)" != "$digest" ] || { exec 9<&-; return 0; }
  say "installing npm packages"
  # Some packages ask for a newer Node than Debian's, which only installs them: the pinned one runs them. Errors are printed.
  npm ci --no-audit --no-fund --loglevel=error >&2 9<&- || { say "npm failed; run this again once what it says is mended"; exit 69; }
  echo "$digest" >"$stamp"
  exec 9<&-
}

pinned_node() {
  for node in node_modules/node-linux-*/bin/node; do
    [ -x "$node" ] && echo "$PWD/${node%/node}" && return
  done
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 24 ] || { say "needs Node 24 or newer here; this is $(node --version)"; exit 69; }
}

[ $# -gt 0 ] || { say "usage: $0 FILE [ARG …], a program of this project such as service/plasmd.ts"; exit 2; }
[ -f "$1" ] || { say "there is no program $1 in $PWD"; exit 2; }
debian_packages
npm_packages
PATH="$(pinned_node):$PATH:/usr/sbin:/sbin"
export PATH
# The program lies here; what its arguments name lies where the caller is.
program=$PWD/${1#"$PWD"/}
shift
cd "$from"
exec node "$program" "$@"
