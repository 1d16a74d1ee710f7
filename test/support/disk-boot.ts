import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { BootRecord } from '../../agent/boot-record.ts'
import type { StepName } from '../../agent/events.ts'
import { unshareArguments } from '../../host-harness/namespace.ts'

const PROGRAM = fileURLToPath(new URL('./disk-boot-program.ts', import.meta.url))
export const IMAGES = fileURLToPath(new URL('../../build/images', import.meta.url))
const WITHIN_MS = 8 * 60_000

/** What became of a machine that was started from its disk. */
export interface DiskBoot {
  /** Of its ready report; null where it made none. */
  readonly record: BootRecord | null
  readonly peerId: string | null
  /** How many receipts it says led to it. */
  readonly lineage: number
  /** Of the set that it serves, as downloaded from it. */
  readonly servedDigest: string | null
  /** What of that set is not as its manifest says. */
  readonly differences: readonly string[]
  readonly mounts: string
  readonly status: string
  readonly doctor: string
  readonly console: string
}

/** Boots a machine from its disk in a network of its own (disk-boot-program.ts), and cuts its power. */
export async function bootDisk(about: {
  readonly disk: string
  readonly number: number
  readonly published?: string | undefined
  readonly parameters?: readonly string[]
  readonly cutAt?: StepName
}): Promise<DiskBoot> {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-disk-boot-'))
  try {
    const request = JSON.stringify({ parameters: [], ...about, directory, images: IMAGES })
    const command = [...(await unshareArguments()), process.execPath, PROGRAM, request]
    const { stdout } = await execa('unshare', command, { timeout: WITHIN_MS, stdin: 'ignore' })
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
