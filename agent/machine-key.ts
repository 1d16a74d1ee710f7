import { lstat, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeNodeKey, type NodeKey, openNodeKey, writeNodeKey } from '../service/node-key.ts'
import type { PhaseMode } from './config.ts'
import { RUN_DIRECTORY, STATE_DIRECTORY } from './state-directory.ts'

const KEY_FILE = 'node-key'

/** Where a key may be kept; tests name their own. */
export interface KeyPlaces {
  readonly stateDirectory?: string
  readonly runDirectory?: string
}

/**
 * Who this machine is: the same peer after every boot where it has a disk to remember it on, a new one at each boot
 * otherwise; in private mode always a new one, since nothing may tell two of its boots together. Within a boot an agent that is
 * started again is the same peer.
 * @throws PlasmError `node-key-exposed` | `node-key-invalid`
 */
export async function machineKey(mode: PhaseMode, places: KeyPlaces = {}): Promise<NodeKey> {
  const { stateDirectory = STATE_DIRECTORY, runDirectory = RUN_DIRECTORY } = places
  const remembers = mode !== 'private' && (await isDirectory(stateDirectory))
  if (remembers) return openNodeKey(join(stateDirectory, KEY_FILE))
  return (await isDirectory(runDirectory)) ? openNodeKey(join(runDirectory, KEY_FILE)) : makeNodeKey()
}

/** Makes a key the one that {@link machineKey} finds from now on. */
export async function keepMachineKey(key: NodeKey, mode: PhaseMode, places: KeyPlaces = {}): Promise<void> {
  const { stateDirectory = STATE_DIRECTORY, runDirectory = RUN_DIRECTORY } = places
  const remembers = mode !== 'private' && (await isDirectory(stateDirectory))
  if (!remembers) await mkdir(runDirectory, { recursive: true, mode: 0o755 })
  const file = join(remembers ? stateDirectory : runDirectory, KEY_FILE)
  await rm(file, { force: true })
  await writeNodeKey(file, key)
}

async function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
