import { chmod, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { LineageExpectation, Link } from '../service/lineage.ts'
import type { StoredLineage } from '../service/lineage-file.ts'
import { type NodeKey, openNodeKey, readNodeKey, writeNodeKey } from '../service/node-key.ts'
import { cannotKeep } from '../service/provider-key.ts'
import { storePaths } from '../service/store-layout.ts'
import type { AgentConfig, PhaseMode } from './config.ts'
import { HANDOVER } from './handover-layout.ts'
import { type KeyPlaces, keepMachineKey, machineKey } from './machine-key.ts'
import { exists } from './publish.ts'
import { ensureDirectory, PRIVATE_FILE, PUBLIC_FILE } from './store-files.ts'

/** Who this machine is in its serve stage, and by which receipts it came here. */
export interface Identity {
  readonly peerId: string
  readonly key: NodeKey
  /** Envelopes, own one first. */
  readonly lineage: readonly unknown[]
  readonly links: readonly Link[]
}

/**
 * Makes the identity that kexec handed over the store's own, where plasmd finds it (store-layout.ts); a machine that nothing
 * was handed to keeps the one it has, or gets one. The key is moved last: an agent that was killed half way goes on. Receipts
 * that are left from an earlier boot are removed: by their key, or where the key was handed over, by their nonce.
 * @param outsideStore a foreign plasmd signs nothing, and may serve what is hidden: then the key lies where no plasmd looks
 * @throws PlasmError `node-key-exposed` | `node-key-invalid`
 */
export async function adoptIdentity(
  { storeRoot: root, mode, bootNonce }: Pick<AgentConfig, 'storeRoot' | 'mode' | 'bootNonce'>,
  places: KeyPlaces = {},
  { outsideStore = false }: { readonly outsideStore?: boolean } = {},
): Promise<Identity> {
  if (mode === 'private') {
    const key = await machineKey(mode, places)
    return { peerId: key.peerId, key, lineage: [], links: [] }
  }
  const { handover, nodeKey, lineage } = storePaths(root)
  await moveIfThere(join(handover, HANDOVER.lineage), lineage, PUBLIC_FILE)
  const keyHandedOver = join(handover, HANDOVER.nodeKey)
  if (outsideStore) await moveOut(nodeKey, mode, places)
  const handedOver = outsideStore
    ? await moveOut(keyHandedOver, mode, places)
    : await moveIfThere(keyHandedOver, nodeKey, PRIVATE_FILE)
  const key = await (outsideStore ? machineKey(mode, places) : ownKey(nodeKey, mode, places))
  const { peerId } = key
  const nonce = handedOver && bootNonce !== null ? { nonce: bootNonce } : {}
  const own = await ownLineage(lineage, { client: peerId, ...nonce })
  return { peerId, key, lineage: own?.envelopes ?? [], links: own?.links ?? [] }
}

async function ownKey(file: string, mode: PhaseMode, places: KeyPlaces): Promise<NodeKey> {
  const found = await readNodeKey(file)
  if (found) return found
  const own = await machineKey(mode, places)
  try {
    await ensureDirectory(dirname(file))
    await writeNodeKey(file, own)
    return await openNodeKey(file)
  } catch (thrown) {
    if (!cannotKeep(thrown)) throw thrown
    return own
  }
}

/** Copied, since /run is another filesystem than the store. */
async function moveOut(file: string, mode: PhaseMode, places: KeyPlaces): Promise<boolean> {
  if (!(await exists(file))) return false
  await chmod(file, PRIVATE_FILE)
  await keepMachineKey((await readNodeKey(file))!, mode, places)
  await rm(file)
  return true
}

async function ownLineage(file: string, expected: LineageExpectation): Promise<StoredLineage | undefined> {
  if (!(await exists(file))) return undefined
  const { readLineage } = await import('../service/lineage-file.ts')
  const own = await readLineage(file, expected)
  if (!own) await rm(file, { force: true })
  return own
}

async function moveIfThere(from: string, to: string, mode: number): Promise<boolean> {
  if (!(await exists(from))) return false
  await chmod(from, mode)
  await rename(from, to)
  return true
}
