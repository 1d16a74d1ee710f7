#!/bin/sh
# Runs COMMAND in a network namespace of its own: loopback and one link (10.78.0.1), no default route. With AVAHI=1 an
# avahi-daemon and its message bus run there too, on a /run of their own; all ends with COMMAND.
# usage: on-link.sh COMMAND
set -e
[ -n "${PLASM_INSIDE-}" ] || {
  export PLASM_INSIDE=1
  [ "$(id -u)" = 0 ] || user='--user --map-root-user'
  exec unshare ${user-} --net --mount --uts --pid --fork --kill-child --mount-proc "$0" "$@"
}
hostname linkhost
ip link set lo up
ip link add near type veth peer name far
ip address add 10.78.0.1/24 dev near
ip link set near up
ip link set far up
[ -z "${AVAHI-}" ] || {
  mount -t tmpfs none /run
  mkdir -p /run/dbus /run/avahi-daemon
  cat >/run/bus.conf <<CONF
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="signal"/><allow receive_type="error"/></policy></busconfig>
CONF
  printf '[server]\nuse-ipv6=no\nallow-interfaces=near\n' >/run/avahi.conf
  dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile >/run/bus.log 2>&1 &
  until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
  avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits >/run/avahi.log 2>&1 &
  until grep -q 'startup complete' /run/avahi.log; do sleep 0.05; done
}
sh -c "$1"
