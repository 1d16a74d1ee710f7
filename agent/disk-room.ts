import { statfsSync } from 'node:fs'
import { type DataDisk, findDataDisk } from './data-disk.ts'

const MIB = 1024 * 1024

/** The data disk as status shows it. */
export interface DiskRoom {
  readonly device: string
  readonly freeMiB: number
  readonly totalMiB: number
  readonly readOnly: boolean
}

/** @returns null where this machine has no data disk, or one that cannot be looked at any more */
export function readDiskRoom(find: () => DataDisk | undefined = findDataDisk): DiskRoom | null {
  try {
    const disk = find()
    if (!disk) return null
    const { bavail, blocks, bsize } = statfsSync(disk.mountPoint)
    const inMiB = (count: number) => Math.floor((count * bsize) / MIB)
    return { device: disk.device, freeMiB: inMiB(bavail), totalMiB: inMiB(blocks), readOnly: disk.readOnly }
  } catch {
    return null
  }
}
