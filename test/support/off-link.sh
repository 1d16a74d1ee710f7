#!/bin/sh
# usage: off-link.sh COMMAND …
# Runs a command in namespaces of its own, on a link with a default route, where nobody else is. Prints what it prints, and then one line
# with the number of packets that it sent to anywhere beyond the link: what a capture there would show.
set -eu
[ "${1-}" = --inside ] || {
  [ "$(id -u)" = 0 ] || user='--user --map-root-user'
  # shellcheck disable=SC2086 # a list of words
  exec unshare ${user-} --net --mount --pid --fork --kill-child --mount-proc "$0" --inside "$@"
}
shift
ip link set lo up
ip link add eth0 type veth peer name far
ip link set far up
ip address add 10.77.0.2/24 dev eth0
ip link set eth0 up
ip route add default via 10.77.0.1
# A router that takes everything: what is sent to it leaves, answered or not.
ip neighbour add 10.77.0.1 lladdr 02:00:00:00:00:01 dev eth0
nft -f - <<'RULES'
table inet sent {
  counter beyond { }
  chain out {
    type filter hook output priority 0; policy accept;
    oifname "lo" accept
    ip daddr { 10.77.0.0/24, 224.0.0.0/24, 255.255.255.255 } accept
    ip6 daddr { fe80::/10, ff02::/16 } accept
    counter name beyond
  }
}
RULES
"$@"
nft list counter inet sent beyond | sed -n 's/.*packets \([0-9]*\) .*/beyond \1/p'
