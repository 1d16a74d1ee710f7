/**
 * Where a test lays a store that is to be on a disk: /tmp may be memory, where the store keeps no set but the one it serves.
 * /var/tmp outlives a restart (FHS 3.0, 5.15), so it is none.
 */
export const DISK_DIR = '/var/tmp'
