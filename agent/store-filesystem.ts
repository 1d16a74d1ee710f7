import { statfs } from 'node:fs/promises'

/** linux/magic.h: TMPFS_MAGIC, RAMFS_MAGIC. */
const IN_MEMORY = new Set([0x0102_1994, 0x8584_58f6])

/** Whether what lies there takes memory and is gone with the power: the root of an initramfs is a tmpfs or a ramfs. */
export async function isInMemory(dir: string): Promise<boolean> {
  return IN_MEMORY.has((await statfs(dir)).type >>> 0)
}
