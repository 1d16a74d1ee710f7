#!/bin/sh
# Two network namespaces joined by a link with no default route, as guests on one bridge are.
# usage: two-networks.sh PEER_COMMAND COMMAND
# Runs PEER_COMMAND (10.77.0.1) until it prints a line, then COMMAND (10.77.0.2); ends both. With ADDRESSES=ipv6 they are
# fd77::1 and fd77::2 instead, with ADDRESSES=link-local they have none but those that each interface makes for itself.
set -e
[ -n "${PLASM_INSIDE-}" ] || {
  export PLASM_INSIDE=1
  [ "$(id -u)" = 0 ] || user='--user --map-root-user'
  # All that was started ends with the process namespace.
  # shellcheck disable=SC2086 # a list of words
  exec unshare ${user-} --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
}
unshare --net sleep 60 &
holder=$!
until [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
ip link set lo up
ip link add near type veth peer name far netns "$holder"
in_peer() { nsenter --target "$holder" --net "$@"; }
in_peer ip link set lo up
give() {
  case ${ADDRESSES-ipv4} in
    ipv4) echo "address add 10.77.0.$1/24" ;;
    ipv6) echo "address add fd77::$1/64" ;;
    link-local) echo 'address show' ;;
  esac
}
# shellcheck disable=SC2046 # a list of words
in_peer ip $(give 1) dev far >&2
in_peer ip link set far up
# shellcheck disable=SC2046
ip $(give 2) dev near >&2
ip link set near up
said=$(mktemp)
in_peer sh -c "exec $1" >"$said" 2>&1 &
peer=$!
until [ -s "$said" ]; do sleep 0.02; kill -0 "$peer"; done
rm "$said"
sh -c "$2"
