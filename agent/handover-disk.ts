import { lstat } from 'node:fs/promises'
import type { AgentConfig } from './config.ts'
import { DATA_DISK_LABEL, type DataDisk, findDataDisk } from './data-disk.ts'
import { ifThere } from './if-there.ts'
import { isInMemory } from './store-filesystem.ts'

/**
 * The store, where it lies on a disk that the next kernel's init finds again by its label.
 * @param find only tests give it
 * @returns its root, or undefined: then nothing outlives kexec but what the new initrd carries
 */
export async function storeOnDisk(
  { storeRoot, mode, noWrite }: Pick<AgentConfig, 'storeRoot' | 'mode' | 'noWrite'>,
  find: () => DataDisk | undefined = findDataDisk,
): Promise<string | undefined> {
  if (noWrite || mode === 'private') return undefined
  const disk = find()
  if (!disk || disk.readOnly || disk.label !== DATA_DISK_LABEL) return undefined
  if (!storeRoot.startsWith(`${disk.mountPoint}/`) || !(await ifThere(lstat(storeRoot)))) return undefined
  // A set that was carried for want of room on the disk is mounted over the store on it (init/data-disk).
  return (await isInMemory(storeRoot)) ? undefined : storeRoot
}
