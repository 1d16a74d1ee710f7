import { createHash } from 'node:crypto'
import { type FileHandle, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlasmError } from '../service/errors.ts'
import { artifactsOf, type ManifestArtifact, setBytes } from '../service/manifest.ts'
import { incomingDirectory, publish, type StoredSet } from './publish.ts'
import { removeOldSets } from './retention.ts'
import { freeBytesOf, onStore, storeFull } from './store-errors.ts'
import { createFile, ensureDirectory, PUBLIC_FILE, syncDirectory } from './store-files.ts'
import { prepareStore } from './store-safety.ts'
import { syncFile } from './sync-file.ts'
import type { VerifiedManifest } from './verify.ts'

const COPY_BYTES = 1024 * 1024
/** Left free on the store's filesystem, which in a guest is RAM. */
const RESERVE_BYTES = 4 * 1024 * 1024

type Artifact = ManifestArtifact & { readonly role: string }

/** Where the artifacts of a set come from. */
export interface SetSource {
  /** Opens an artifact that has the right size. Whoever asked closes it. */
  open(artifact: Artifact): Promise<FileHandle>
  /** What to say of bytes that are not the manifest's. @param found digest, or how many bytes there were */
  differs(artifact: Artifact, found: string): PlasmError
}

/**
 * Copies a set into the store and publishes it. Every byte is hashed on its way, and is in the store's own file by then: whoever
 * may still write to the source changes nothing. Whatever fails, the store serves what it served.
 * @throws PlasmError `store-unsafe` | of store-errors.ts | what `source` makes
 */
export function copyIntoStore(root: string, verified: VerifiedManifest, source: SetSource): Promise<StoredSet> {
  return onStore(root, async () => {
    await prepareStore(root, verified.manifest.channel)
    await makeRoom(root, setBytes(verified.manifest))
    const incoming = incomingDirectory(root)
    try {
      await ensureDirectory(incoming)
      for (const artifact of artifactsOf(verified.manifest)) await copy(source, incoming, artifact)
      await syncDirectory(incoming)
      return await publish(root, incoming, verified)
    } catch (thrown) {
      // When this fails too, it is left for the next start to remove.
      await rm(incoming, { recursive: true, force: true }).catch(() => {})
      throw thrown
    }
  })
}

/** Sets that are only kept because there is room give way. @throws PlasmError `store-full` (facts: `needBytes`, `freeBytes`) */
export async function makeRoom(root: string, needBytes: number): Promise<void> {
  const fits = () => freeBytesOf(root) >= needBytes + RESERVE_BYTES
  if (fits()) return
  await removeOldSets(root, 0)
  if (!fits()) throw storeFull(root, { needBytes })
}

async function copy(source: SetSource, to: string, artifact: Artifact): Promise<void> {
  const from = await source.open(artifact)
  try {
    const target = await createFile(join(to, artifact.filename), PUBLIC_FILE)
    try {
      const found = await copyHashed(from, target, artifact.size_bytes)
      if (found !== artifact.hash) throw source.differs(artifact, found)
      await syncFile(target)
    } finally {
      await target.close()
    }
  } finally {
    await from.close()
  }
}

/** @returns the digest, or how many bytes there were where there are too few */
async function copyHashed(source: FileHandle, target: FileHandle, size: number): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, size))
  let position = 0
  while (position < size) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, size - position), position)
    if (bytesRead === 0) return `${position} bytes`
    const data = buffer.subarray(0, bytesRead)
    hash.update(data)
    await writeAll(target, data, position)
    position += bytesRead
  }
  return `sha256:${hash.digest('hex')}`
}

/** POSIX lets a write end short. */
async function writeAll(target: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await target.write(data, done, data.length - done, position + done)
    done += bytesWritten
  }
}
