#!/bin/sh
# In a mount namespace with a /run of its own: an /etc with what avahi-daemon wants there, which is on a machine that has it
# installed: its user and group, though it drops no rights here, and a directory for services.
set -e
mkdir -p /run/avahi-daemon /run/etc/avahi/services
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /run/etc/
grep -q '^avahi:' /run/etc/passwd || echo 'avahi:x:64990:64990::/run/avahi-daemon:/usr/sbin/nologin' >>/run/etc/passwd
grep -q '^avahi:' /run/etc/group || echo 'avahi:x:64990:' >>/run/etc/group
mount --bind /run/etc /etc
