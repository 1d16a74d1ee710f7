#!/bin/sh
# Runs a command that makes or packs a system's tree, as root: as it is where this is root, else in a user namespace with the
# subordinate ids of this user (subuid(5)).
#   as-root.sh COMMAND …
#   as-root.sh --emulate EMULATOR ELF-MACHINE COMMAND …     programs of that ELF machine (\xb7\x00) are run by EMULATOR
# Where the host has no such binfmt_misc entry already, one is made in a namespace of this command's own (Linux 6.7 or newer), so
# that nothing is left on the host.
set -eu

# \x7fELF, 64 bits, little endian, version 1; executable or shared object; the machine (System V ABI, ELF header).
elf='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
binfmt=/proc/sys/fs/binfmt_misc

run() { # COMMAND …, as root
  if [ "$(id -u)" = 0 ]; then exec "$@"; fi
  exec unshare --map-root-user --map-auto --mount -- "$@"
}

registered() { # EMULATOR: the host runs such programs by itself
  name=${1##*/}
  [ -e "$binfmt/${name%-static}" ]
}

# A new user namespace in which every id is itself: root's own cannot have a binfmt_misc beside the host's.
as_root_in_namespace() {
  unshare --user true 2>/dev/null || {
    echo "as-root: no user namespace can be made here, as in a chroot: have the host run such programs (binfmt_misc)" >&2
    exit 1
  }
  go=$(mktemp -u)
  mkfifo -m 600 "$go"
  # shellcheck disable=SC2016 # the inner shell expands it
  unshare --user --mount --pid --fork --kill-child -- sh -c 'read -r _ <"$1"; shift; exec "$@"' sh "$go" "$0" --inside "$@" &
  pid=$!
  trap 'kill "$pid" 2>/dev/null || :; rm -f "$go"' EXIT
  until [ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.1; done
  for map in uid_map gid_map; do echo 0 0 4294967295 >"/proc/$pid/$map"; done
  echo >"$go"
  wait "$pid"
}

case $1 in
  --emulate)
    if registered "$2"; then
      shift 3
      run "$@"
    fi
    shift
    if [ "$(id -u)" = 0 ]; then as_root_in_namespace "$@"; else
      exec unshare --map-root-user --map-auto --mount --pid --fork --kill-child -- "$0" --inside "$@"
    fi
    ;;
  --inside)
    mount -t proc proc /proc
    mount -t binfmt_misc binfmt_misc $binfmt
    printf '%s' ":${2##*/}:M::$elf$3:$mask:$2:F" >$binfmt/register
    shift 3
    exec "$@"
    ;;
  *) run "$@" ;;
esac
