#!/bin/sh
# Two network namespaces joined by a link with no default route, as guests on one bridge are.
# usage: two-networks.sh PEER_COMMAND COMMAND
# Runs PEER_COMMAND (10.77.0.1) until it prints a line, then COMMAND (10.77.0.2); ends both.
set -e
[ -n "${PLASM_INSIDE-}" ] || {
  export PLASM_INSIDE=1
  if [ "$(id -u)" = 0 ]; then exec unshare --net "$0" "$@"; else exec unshare --user --map-root-user --net "$0" "$@"; fi
}
unshare --net sleep 60 &
holder=$!
trap 'kill $holder $peer 2>/dev/null' EXIT
until [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
ip link set lo up
ip link add near type veth peer name far netns "$holder"
in_peer() { nsenter --target "$holder" --net "$@"; }
in_peer ip link set lo up
in_peer ip address add 10.77.0.1/24 dev far
in_peer ip link set far up
ip address add 10.77.0.2/24 dev near
ip link set near up
said=$(mktemp)
in_peer sh -c "exec $1" >"$said" 2>&1 &
peer=$!
until [ -s "$said" ]; do sleep 0.02; kill -0 "$peer"; done
rm "$said"
sh -c "$2"
