#!/bin/busybox sh
# PID 1 of the power-cut test's guest, in place of init/init: mounts a disk and a directory of tools, and runs the loop.
PATH=/bin:/sbin
export PATH
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs run /run
exec </dev/console >/dev/console 2>&1
for group in agent devices disk; do
  while read -r module; do insmod "$module"; done <"/lib/modules/load-order.$group"
done
losetup -r /dev/loop0 /agent.sqfs && mount -t squashfs -o ro /dev/loop0 /opt/plasm
mkdir -p /data /tools
mount -t ext4 /dev/vda /data && mount -t squashfs -o ro /dev/vdb /tools || echo "power: no disk"
env -i PATH="$PATH" HOME=/ /tools/node /tools/loop.mjs
echo "power: the loop ended with $?"
while :; do sleep 1000; done
