import { join } from 'node:path'
import { prefixBytesOf } from './image-layout.ts'
import { newcPadding } from './newc.ts'
import type { StoredSet } from './publish.ts'
import { missing } from './set-directory.ts'
import { createFile, openRegular, PRIVATE_FILE } from './store-files.ts'
import { writeAt } from './write-at.ts'

/** The layout lies within so much of an initramfs's beginning. */
const HEAD_BYTES = 64 * 1024
const COPY_BYTES = 1024 * 1024

/**
 * Writes an initrd that is the prefix of a stored initramfs and nothing else: what the next kernel's init needs to find the
 * rest on the disk.
 * @param output must not be there
 * @throws PlasmError `scratch-full` | `image-layout-invalid` | `artifact-missing`
 */
export async function writePrefix(
  { dir, verified }: StoredSet,
  output: string,
): Promise<{ readonly prefixBytes: number; readonly initrdBytes: number }> {
  const { filename, size_bytes: size } = verified.manifest.artifacts.initramfs
  const initramfs = await openRegular(join(dir, filename))
  if (!initramfs) throw missing('initramfs', dir, undefined)
  try {
    const { buffer: head, bytesRead } = await initramfs.read(Buffer.alloc(Math.min(HEAD_BYTES, size)), { position: 0 })
    const prefixBytes = prefixBytesOf(head.subarray(0, bytesRead), size)
    const target = await createFile(output, PRIVATE_FILE)
    try {
      const to = { fd: target.fd, path: output }
      const block = Buffer.allocUnsafe(COPY_BYTES)
      for (let at = 0; at < prefixBytes; ) {
        const read = await initramfs.read(block, 0, Math.min(COPY_BYTES, prefixBytes - at), at)
        if (read.bytesRead === 0) throw missing('initramfs', dir, undefined)
        writeAt(to, block.subarray(0, read.bytesRead), at)
        at += read.bytesRead
      }
      const padding = Buffer.alloc(newcPadding(prefixBytes))
      writeAt(to, padding, prefixBytes)
      return { prefixBytes, initrdBytes: prefixBytes + padding.length }
    } finally {
      await target.close()
    }
  } finally {
    await initramfs.close()
  }
}
