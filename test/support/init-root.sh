#!/bin/sh
# A root directory with the init scripts of this project under their real paths, and a command in it as PID 1: to be run in
# mount, process and network namespaces of its own. The system's programs are the host's, /bin/sh is busybox where asked for;
# plasm-agent and plasmd run from the checkout.
#   init-root.sh REPOSITORY NODE sh|busybox OUTPUT-DIRECTORY TREES COMMAND…
# TREES: unpacked packages, separated by blanks, whose files lie over the host's.
set -eu
repository=$1 node=$2 shell=$3 output=$4 trees=$5
shift 5
busybox=$(command -v busybox)
root=$output/root
mkdir "$root"
mount -t tmpfs -o mode=0755 root "$root"
cd "$root"
for directory in bin sbin lib lib64; do [ ! -L /$directory ] || ln -s usr/$directory $directory; done
mkdir -p usr proc sys dev tmp run var/lib/plasm/boot-artifacts etc/init.d etc/plasm/trust "./$repository" "./$output"
chmod 1777 tmp
for shared in /proc /dev "$repository"; do mount --rbind "$shared" "./$shared"; done
mount --bind "$output" "./$output"
if [ -z "$trees" ]; then
  mount --rbind /usr usr
else
  mkdir -p over/usr over/work
  for tree in $trees; do
    for part in usr/. bin sbin lib; do [ ! -e "$tree/$part" ] || cp -dR --preserve=mode "$tree/$part" over/usr/; done
    [ ! -e "$tree/etc" ] || cp -dR --preserve=mode "$tree/etc" .
  done
  mount -t overlay -o lowerdir=/usr,upperdir=over/usr,workdir=over/work overlay usr
fi
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=0755 run run
case $node in "$repository"/* | /usr/*) ;; *) mkdir -p ".${node%/*}" && mount --bind "${node%/*}" ".${node%/*}" ;; esac
# What the agent and people say on the console is to be read here.
: >"$output/console"
[ ! -e dev/console ] || mount --bind "$output/console" dev/console
[ "$shell" != busybox ] || mount --bind "$busybox" "./$(readlink -f /bin/sh)"

mount -t tmpfs local usr/local/bin
for program in plasm-agent plasmd; do
  printf '#!/bin/bash\nexec -a %s %s %s/agent/main.ts "$@"\n' $program "$node" "$repository" >usr/local/bin/$program
done
ln -s "$busybox" usr/local/bin/udhcpc
chmod 755 usr/local/bin/plasm-agent usr/local/bin/plasmd
cp "$repository"/init/init.d/* etc/init.d/
cp -r "$repository"/init/openrc etc/plasm/
cp "$repository"/init/pid-files "$repository"/init/network "$repository"/init/udhcpc.script etc/plasm/
echo 'allow_unsigned = true' >etc/plasm/trust/policy.toml
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ TERM=linux LANG=C OUTPUT="$output" chroot . "$@"
