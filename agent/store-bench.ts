import { rm } from 'node:fs/promises'
import { setBytes } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import { makeRoom } from './copy-set.ts'
import { exists, removeLeftovers } from './publish.ts'
import { removeOldSets } from './retention.ts'
import { freeBytesOf } from './store-errors.ts'
import { syncDirectory } from './store-files.ts'
import { checkStore, prepareStore } from './store-safety.ts'
import { createStoreWriter, type StoreWriter } from './store-writer.ts'
import type { VerifiedManifest } from './verify.ts'

/**
 * The store on the data disk while a set is fetched into it, from provider to provider and from attempt to attempt. A set with
 * another manifest digest takes the place of one that is not whole yet: sets are never mixed.
 */
export interface StoreBench {
  readonly root: string
  /** Bytes that this set may take, after sets that are kept only because there is room have given way to it. */
  roomFor(verified: VerifiedManifest): Promise<number>
  /** @throws PlasmError `store-full` | `store-unsafe` */
  writer(verified: VerifiedManifest): Promise<StoreWriter>
  /** The set that was being written lies in the store now. */
  kept(): void
  drop(): Promise<void>
}

/**
 * Clears away what an earlier boot left: a set that was not whole when the power went, and what was handed over to a kernel that
 * is gone, which nobody may take for this boot's.
 * @throws PlasmError `store-unsafe`, and what the system refuses
 */
export async function openStoreBench(root: string, channel: string): Promise<StoreBench> {
  await checkStore(root, channel)
  const { handover } = storePaths(root)
  if (await exists(handover)) {
    await rm(handover, { recursive: true })
    await syncDirectory(root)
  }
  await removeLeftovers(root)
  let current: StoreWriter | undefined
  const drop = async () => {
    const dropped = current
    current = undefined
    await dropped?.discard()
  }
  const heldBytes = ({ digest }: VerifiedManifest) =>
    current?.verified.digest === digest ? [...current.kept.values()].reduce((sum, bytes) => sum + bytes, 0) : 0
  return {
    root,
    drop,
    kept() {
      current = undefined
    },
    async roomFor(verified) {
      if (current?.verified.digest !== verified.digest) await drop()
      const held = heldBytes(verified)
      const room = () => freeBytesOf(root) + held
      if (room() < setBytes(verified.manifest)) {
        await prepareStore(root, channel)
        await removeOldSets(root, 0)
      }
      return room()
    },
    async writer(verified) {
      if (current?.verified.digest === verified.digest) return current
      await drop()
      await prepareStore(root, channel)
      await makeRoom(root, setBytes(verified.manifest))
      const home = storePaths(root).set(verified.digest)
      current = await createStoreWriter(root, verified, (await exists(home)) ? home : undefined)
      return current
    },
  }
}
