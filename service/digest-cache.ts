import { createHash } from 'node:crypto'
import type { OpenFile } from './open-inside.ts'

const READ_BYTES = 1024 * 1024
/** More files than any root here has; the oldest entry goes first. */
const ENTRIES_MAX = 256
/** A write right after hashing may fall into the same tick of the kernel's clock (10 ms at most) and leave no trace in ctime. */
const CLOCK_TICK_MS = 20

export interface DigestCache {
  /** The digest where it is known for the file as it is now. Reads nothing. */
  known(file: OpenFile): string | undefined
  /**
   * `sha256:<hex>` of the whole file; many who ask at once share one reading. The handle must stay open until it settles.
   * @returns undefined when the file changed while it was read
   */
  digest(file: OpenFile): Promise<string | undefined>
}

/** Digests by file identity: whatever changes a file's content changes its key. One file is hashed at a time, so memory is flat. */
export function createDigestCache(): DigestCache {
  const digests = new Map<string, { readonly identity: string; readonly digest: string }>()
  const running = new Map<string, Promise<string | undefined>>()
  let last: Promise<unknown> = Promise.resolve()

  const known = (file: OpenFile) => {
    const entry = digests.get(file.inode)
    return entry?.identity === file.identity ? entry.digest : undefined
  }
  const compute = async (file: OpenFile) => {
    const before = known(file)
    if (before !== undefined) return before
    const startedAt = Date.now()
    const digest = await hashFile(file)
    if ((await identityNow(file)) !== file.identity) return undefined
    if (Math.abs(startedAt - file.ctimeMs) > CLOCK_TICK_MS) remember(file, digest)
    return digest
  }
  const remember = ({ inode, identity }: OpenFile, digest: string) => {
    digests.delete(inode)
    digests.set(inode, { identity, digest })
    for (const oldest of digests.keys()) {
      if (digests.size <= ENTRIES_MAX) break
      digests.delete(oldest)
    }
  }
  return {
    known,
    digest(file) {
      const found = running.get(file.identity)
      if (found) return found
      const mine = last.then(() => compute(file)).finally(() => running.delete(file.identity))
      last = mine.catch(() => {})
      running.set(file.identity, mine)
      return mine
    },
  }
}

async function hashFile({ handle, size }: OpenFile): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(size, READ_BYTES)))
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
    if (bytesRead === 0) break
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  return `sha256:${hash.digest('hex')}`
}

async function identityNow({ handle }: OpenFile): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true })
  return [dev, ino, size, mtimeNs, ctimeNs].join(':')
}
