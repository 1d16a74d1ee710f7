import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'

/** Where a run keeps the disks of its machines. */
export const DISKS = 'disks'

/** What a machine is told for its blank disk to become its data disk (init/data-disk). */
export const FORMAT_BLANK_DISK = 'plasm.format=blank'

/** A blank disk for a machine: a sparse file, which takes no more than is written to it. @returns its path */
export async function makeDiskImage(runDir: string, machine: string, bytes: number): Promise<string> {
  const file = join(runDir, DISKS, machine)
  await mkdir(join(runDir, DISKS), { recursive: true })
  const image = await open(file, 'wx')
  await image.truncate(bytes)
  await image.close()
  return file
}
