import { DATA_DIRECTORY, DATA_DISK_LABEL, type DataDisk, findDataDisk, labelledDevices } from './data-disk.ts'
import { readDiskRoom } from './disk-room.ts'
import type { Finding } from './doctor-view.ts'

/** Below this no set fits any more, and the next boot carries it in memory. */
const LITTLE_ROOM_MIB = 128

/** What is looked at; tests name their own. */
export interface DiskFacts {
  readonly find: () => DataDisk | undefined
  /** Devices with the label, mounted or not. */
  readonly labelled: () => readonly string[]
  /** `phase.nowrite=true` or `phase.mode=private`. */
  readonly forbidden: boolean
}

export const diskFacts = (forbidden: boolean): DiskFacts => ({
  find: findDataDisk,
  labelled: () => labelledDevices(),
  forbidden,
})

/** The data disk as the doctor sees it. */
export function diskFinding({ find, labelled, forbidden }: DiskFacts): Finding {
  const check = 'disk'
  const disk = find()
  if (!disk) return withoutDisk(labelled(), forbidden)
  const { device, readOnly, label } = disk
  const room = readDiskRoom(() => disk)
  const found = room ? `${device}, ${room.freeMiB} of ${room.totalMiB} MiB free` : device
  if (readOnly) {
    return {
      check,
      verdict: 'wrong',
      found: `${found}, but it is read-only`,
      next: 'the kernel makes a filesystem so when its device fails: see `dmesg`, run e2fsck on it, replace it',
    }
  }
  if (label !== DATA_DISK_LABEL) {
    return {
      check,
      verdict: 'doubtful',
      found: `${found}, but its label is ${label ?? 'missing'}: after a boot nobody finds it`,
      next: `e2label ${device} ${DATA_DISK_LABEL}`,
    }
  }
  if (room && room.freeMiB < LITTLE_ROOM_MIB) {
    return {
      check,
      verdict: 'doubtful',
      found: `${found}: a set may not fit, and the next boot carries it in memory then`,
      next: `remove what is not needed under ${DATA_DIRECTORY}, or lower store_max_bytes`,
    }
  }
  return { check, verdict: 'fine', found }
}

function withoutDisk(labelled: readonly string[], forbidden: boolean): Finding {
  const check = 'disk'
  if (forbidden) return { check, verdict: 'fine', found: 'no disk is touched, as phase.nowrite or phase.mode says' }
  if (labelled.length === 0) return { check, verdict: 'fine', found: 'no data disk' }
  return {
    check,
    verdict: 'wrong',
    found: `${labelled.join(', ')} is labelled ${DATA_DISK_LABEL}, but not mounted at ${DATA_DIRECTORY}`,
    next: 'its console says why at boot; run `e2fsck -f` on it and boot again',
  }
}
