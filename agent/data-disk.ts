import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { STORE_ROOT } from '../service/store-layout.ts'

/** By this label init finds the filesystem after kexec and after power-off (init/data-disk). */
export const DATA_DISK_LABEL = 'PLASM-DATA'

/** Where it is mounted: the store, the state and the logs lie on it. */
export const DATA_DIRECTORY = dirname(STORE_ROOT)

/** The filesystem that this machine keeps its data on. */
export interface DataDisk {
  /** Such as /dev/vda. */
  readonly device: string
  readonly mountPoint: string
  readonly readOnly: boolean
  /** `null` where it has none, or nobody but root may read it. */
  readonly label: string | null
}

/** @param mountinfo text of /proc/self/mountinfo @returns undefined where no filesystem of a disk is mounted for the data */
export function findDataDisk(
  mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8'),
  mountPoint: string = DATA_DIRECTORY,
): DataDisk | undefined {
  // Of several mounts on one place the last one is seen.
  const mount = mountinfo
    .split('\n')
    .map(parseMount)
    .findLast((one) => one?.mountPoint === mountPoint)
  if (mount?.type !== 'ext4' || mount.root !== '/') return undefined
  return {
    device: mount.source,
    mountPoint,
    readOnly: mount.options.includes('ro'),
    label: readExt4Label(mount.source),
  }
}

/** Devices with an ext4 filesystem of the label; reading them needs root, and writes nothing. */
export function labelledDevices(names: string = '/sys/class/block', devices: string = '/dev'): readonly string[] {
  try {
    return readdirSync(names)
      .map((name) => join(devices, name))
      .filter((device) => readExt4Label(device) === DATA_DISK_LABEL)
  } catch {
    return []
  }
}

/** One line of /proc/<pid>/mountinfo (kernel: Documentation/filesystems/proc.rst, section 3.5). */
function parseMount(line: string) {
  const [before, after] = line.split(' - ')
  const [, , , root, mountPoint, options] = before!.split(' ')
  const [type, source, ofFilesystem] = after?.split(' ') ?? []
  if (mountPoint === undefined || source === undefined) return undefined
  // The kernel makes a filesystem read-only when its device fails; the mount itself may stay writable.
  return { root, mountPoint, type, source, options: [...options!.split(','), ...(ofFilesystem?.split(',') ?? [])] }
}

/** Where the superblock lies, its magic number and the label in it (kernel: Documentation/filesystems/ext4/super.rst). */
const SUPERBLOCK = 1024
const MAGIC = { at: 0x38, value: 0xef53 }
const LABEL = { at: 0x78, bytes: 16 }

function readExt4Label(device: string): string | null {
  try {
    const fd = openSync(device, 'r')
    try {
      const superblock = Buffer.alloc(LABEL.at + LABEL.bytes)
      readSync(fd, superblock, 0, superblock.length, SUPERBLOCK)
      if (superblock.readUInt16LE(MAGIC.at) !== MAGIC.value) return null
      return superblock.toString('latin1', LABEL.at).replace(/\0.*$/s, '') || null
    } finally {
      closeSync(fd)
    }
  } catch {
    return null
  }
}
