import type { FileHandle } from 'node:fs/promises'

/**
 * Makes a file's bytes durable (fsync(2)). Without it a power cut leaves a file of the right name and length 0: filesystems
 * with delayed allocation write the names that a directory's fsync commits long before the bytes. In a file of its own so that
 * the power-cut test can build an agent without it, which that test must catch (test/vm/power-cut.test.ts).
 */
export function syncFile(file: FileHandle): Promise<void> {
  return file.sync()
}
