import { type FileHandle, link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { artifactsOf } from '../service/manifest.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import type { CompleteSet } from './complete-set.ts'
import { incomingDirectory, keepSet, publish, type StoredSet } from './publish.ts'
import { createFile, ensureDirectory, PUBLIC_FILE, syncDirectory } from './store-files.ts'
import { syncFile } from './sync-file.ts'
import type { VerifiedManifest } from './verify.ts'
import { findingsIn } from './verify-set.ts'
import { writeAt } from './write-at.ts'

/** A set on its way into the store; until it is published nobody sees it. */
export interface StoreWriter extends ArtifactSink {
  readonly directory: string
  /** Makes all files durable and closes them. */
  settle(): Promise<void>
  /** Closes the files and deletes what was written. */
  discard(): Promise<void>
}

/**
 * Begins a set in the store, under a hidden name.
 * @param old where the same set may lie already: its files that are right are taken by link and not fetched again
 */
export async function createStoreWriter(
  root: string,
  verified: VerifiedManifest,
  old: string | undefined,
): Promise<StoreWriter> {
  const directory = incomingDirectory(root)
  const kept = new Map<string, number>()
  const files = new Map<string, { readonly handle: FileHandle; readonly fd: number; readonly path: string }>()
  const close = async () => {
    for (const { handle } of files.values()) await handle.close()
    files.clear()
  }
  const discard = async () => {
    await close()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await ensureDirectory(directory)
    const right = old === undefined ? new Set() : await rightIn(old, verified)
    for (const { role, filename, size_bytes } of artifactsOf(verified.manifest)) {
      const path = join(directory, filename)
      if (right.has(role)) {
        await link(join(old!, filename), path)
        kept.set(role, size_bytes)
      } else {
        const handle = await createFile(path, PUBLIC_FILE)
        files.set(role, { handle, fd: handle.fd, path })
      }
    }
  } catch (thrown) {
    await discard().catch(() => {})
    throw thrown
  }
  return {
    verified,
    directory,
    kept,
    write: (role, offset, bytes) => writeAt(files.get(role)!, bytes, offset),
    async settle() {
      for (const { handle } of files.values()) await syncFile(handle)
      await close()
      await syncDirectory(directory)
    },
    discard,
  }
}

/** Roles whose file in a directory is what the manifest says. */
async function rightIn(directory: string, { manifest }: VerifiedManifest): Promise<ReadonlySet<string>> {
  const findings = await findingsIn(directory, manifest)
  return new Set(findings.filter(({ problem }) => problem === null).map(({ artifact }) => artifact))
}

/** A fetched set, every byte of it verified, lies whole in the store from then on. */
export async function keepComplete(root: string, { writer }: CompleteSet<StoreWriter>): Promise<StoredSet> {
  await writer.settle()
  return keepSet(root, writer.directory, writer.verified)
}

/** A fetched set, every byte of it verified, becomes the one that the store serves. Where that fails nothing is left of it. */
export async function publishComplete(root: string, { writer }: CompleteSet<StoreWriter>): Promise<StoredSet> {
  try {
    await writer.settle()
    return await publish(root, writer.directory, writer.verified)
  } catch (thrown) {
    await writer.discard().catch(() => {})
    throw thrown
  }
}
