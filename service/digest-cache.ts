import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

const READ_BYTES = 1024 * 1024

/** Digests of files as they are on disk, by file identity: a changed file is another file, so its digest is forgotten. */
export interface DigestCache {
  /** Lower-case hex when it is known already. */
  known(file: OpenFile): string | undefined
  /** Lower-case hex, read and hashed once however many ask at the same time. */
  digest(file: OpenFile): Promise<string>
}

export interface OpenFile {
  readonly handle: FileHandle
  readonly size: number
  /** Device, inode, size and both times: what must be the same for the bytes to be. */
  readonly identity: string
}

/** A set has a handful of files; old identities go first when there are more. */
const MOST_ENTRIES = 256

export function createDigestCache(): DigestCache {
  const done = new Map<string, string>()
  const running = new Map<string, Promise<string>>()
  return {
    known: (file) => done.get(file.identity),
    async digest(file) {
      const known = done.get(file.identity)
      if (known) return known
      const started = running.get(file.identity) ?? hashFile(file)
      running.set(file.identity, started)
      try {
        const hex = await started
        done.set(file.identity, hex)
        if (done.size > MOST_ENTRIES) done.delete(done.keys().next().value!)
        return hex
      } finally {
        running.delete(file.identity)
      }
    },
  }
}

async function hashFile({ handle, size }: OpenFile): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(READ_BYTES, size - at), at)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash.digest('hex')
}
