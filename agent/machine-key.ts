import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { makeNodeKey, type NodeKey, openNodeKey } from '../service/node-key.ts'
import type { PhaseMode } from './config.ts'
import { STATE_DIRECTORY } from './state-directory.ts'

/**
 * Who this machine is: the same peer after every boot where it has a disk to remember it on, a new one at each boot
 * otherwise; in private mode always a new one, since nothing may tell two of its boots together.
 * @throws PlasmError `node-key-exposed` | `node-key-invalid`
 */
export async function machineKey(mode: PhaseMode, stateDirectory: string = STATE_DIRECTORY): Promise<NodeKey> {
  if (mode === 'private') return makeNodeKey()
  const found = await lstat(stateDirectory).catch(() => undefined)
  return found?.isDirectory() ? openNodeKey(join(stateDirectory, 'node-key')) : makeNodeKey()
}
