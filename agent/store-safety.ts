import type { Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { storePaths } from '../service/store-layout.ts'
import { ifThere } from './if-there.ts'
import { ensureDirectory } from './store-files.ts'

/** Whoever else could write here could change what was verified, between one look and the next. */
const OTHERS_MAY_WRITE = 0o022

/**
 * Refuses a store in which somebody else could plant something: its directories must be directories, no links, of this user
 * and writable by nobody else. Those that are not there are fine.
 * @throws PlasmError `store-unsafe` (facts: `path`, `uid`, `mode`)
 */
export async function checkStore(root: string, channel: string): Promise<void> {
  const { sets, handover } = storePaths(root)
  for (const dir of [root, sets, handover, join(root, channel)]) {
    const found = await ifThere(lstat(dir))
    if (found) refuseUnsafe(dir, found, 'directory')
  }
}

/** Makes what is missing of a store's own directories, then {@link checkStore}. */
export async function prepareStore(root: string, channel: string): Promise<void> {
  // Checked before as well, so that nothing is made behind a planted link.
  await checkStore(root, channel)
  await ensureDirectory(storePaths(root).sets)
  await ensureDirectory(dirname(storePaths(root).link(channel, 'any')))
  await checkStore(root, channel)
}

/** The same for a set's own directory and its files; those that are not there are for others to miss. */
export async function checkSet(dir: string, names: readonly string[]): Promise<void> {
  const found = await ifThere(lstat(dir))
  if (!found) return
  refuseUnsafe(dir, found, 'directory')
  for (const name of names) {
    const file = join(dir, name)
    const stat = await ifThere(lstat(file))
    if (stat) refuseUnsafe(file, stat, 'file')
  }
}

function refuseUnsafe(path: string, found: Stats, wanted: 'directory' | 'file'): void {
  const isWanted = wanted === 'directory' ? found.isDirectory() : found.isFile()
  const problem = found.isSymbolicLink()
    ? 'is a symbolic link'
    : !isWanted
      ? `is not a ${wanted}`
      : found.uid !== process.geteuid?.()
        ? 'belongs to another user'
        : found.mode & OTHERS_MAY_WRITE
          ? 'may be written to by others'
          : undefined
  if (problem === undefined) return
  throw new PlasmError('store-unsafe', `${path} ${problem}; nothing in this store is trusted`, {
    facts: { path, uid: found.uid, mode: (found.mode & 0o7777).toString(8) },
    hint: `find out who made it so; then remove ${path}, or make it this user's with mode ${wanted === 'directory' ? '0755' : '0644'}`,
  })
}
