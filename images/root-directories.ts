/** Directories of every root that busybox is the init of, the initramfs and the rootfs `minimal`. */
export const ROOT_DIRECTORIES = [
  'bin',
  'sbin',
  'dev',
  'proc',
  'sys',
  'run',
  'etc/init.d',
  'etc/plasm',
  'usr/bin',
  'usr/sbin',
]
