#!/bin/sh
# Runs avahi-daemon, the mDNS responder of most Linux systems, with one service of its own until it is killed. Its files are in a
# mount namespace; nothing of this machine's is touched, and no message bus is needed.
# usage: avahi-peer.sh HOST PORT KEY=VALUE …
set -e
[ -n "${PLASM_MOUNTS-}" ] || PLASM_MOUNTS=1 exec unshare --mount "$0" "$@"
host=$1 port=$2
shift 2
mount -t tmpfs none /run
# Where avahi looks for services is built into it.
"${0%/*}/avahi-etc.sh"
{
  echo "<service-group><name>plasmd-$host</name><service><type>_phase-image._tcp</type><port>$port</port>"
  for pair; do echo "<txt-record>$pair</txt-record>"; done
  echo '</service></service-group>'
} >/etc/avahi/services/plasmd.service
printf '[server]\nhost-name=%s\nenable-dbus=no\nuse-ipv4=yes\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n' "$host" >/run/avahi.conf
exec avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits
