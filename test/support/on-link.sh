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
  "${0%/*}/avahi-etc.sh"
  mkdir /run/dbus
  cat >/run/bus.conf <<CONF
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="signal"/><allow receive_type="error"/></policy></busconfig>
CONF
  printf '[server]\nuse-ipv6=no\nallow-interfaces=near\n' >/run/avahi.conf
  dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile >/run/bus.log 2>&1 &
  # One that has ended says why, and is not waited for.
  wait_for() { # LOG PID COMMAND
    until eval "$3"; do
      kill -0 "$2" 2>/dev/null || { cat "$1" >&2; exit 1; }
      sleep 0.05
    done
  }
  wait_for /run/bus.log $! '[ -S /run/dbus/system_bus_socket ]'
  avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits >/run/avahi.log 2>&1 &
  wait_for /run/avahi.log $! "grep -q 'startup complete' /run/avahi.log"
}
sh -c "$1"
