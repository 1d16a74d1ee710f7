#!/bin/sh
# init/host-shell, with the terminal that this runs on as its port: in namespaces of its own, under script(1).
#   host-shell.sh HOST-SHELL [SHELL…]
set -eu
host_shell=$1
shift
mount -t tmpfs sys /sys
mkdir -p /sys/class/virtio-ports/tty
echo org.plasm.exec >/sys/class/virtio-ports/tty/name
mount -t tmpfs -o mode=0755 run /run
# A port hands on every byte, and says none of it back.
stty raw -echo
exec "$@" "$host_shell"
