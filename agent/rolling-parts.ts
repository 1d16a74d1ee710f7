import { uptime } from 'node:os'
import type { DataDisk } from './data-disk.ts'
import { readBootId } from './make-record.ts'

/** What booting another set from the serve stage rests on; only tests put something in its place. */
export interface RollingParts {
  /** Where the next initrd is built: a tmpfs (init/init), or /run of the system. */
  readonly scratchDirectory: string
  readonly kexecLoadDisabledFile: string | undefined
  /** The disk that is mounted for the machine's data; undefined: found by its mount. */
  readonly dataDisk: (() => DataDisk | undefined) | undefined
  /** How long a set on trial may take from its kernel's start to ready, ms. An emulated machine takes less than one minute. */
  readonly trialMs: number
  readonly uptimeMs: () => number
  readonly bootId: () => string
  /** Program and arguments of the last resort: the boot medium's fetch stage knows what to do. */
  readonly reboot: readonly [string, ...string[]]
}

export const ROLLING: RollingParts = {
  scratchDirectory: '/run/plasm/boot',
  kexecLoadDisabledFile: undefined,
  dataDisk: undefined,
  trialMs: 5 * 60_000,
  uptimeMs: () => uptime() * 1000,
  bootId: readBootId,
  reboot: ['reboot', '-f'],
}
