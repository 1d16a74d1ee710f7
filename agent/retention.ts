import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { storePaths } from '../service/store-layout.ts'
import { channelsIn, linkedSet, namesIn } from './publish.ts'
import { isInMemory } from './store-filesystem.ts'

const PREVIOUS = '.previous-'

interface OldSet {
  readonly dir: string
  readonly bytes: number
  readonly mtimeMs: number
}

/**
 * Removes the sets that are no longer wanted. What is served stays, and so does what was served before it; of the others the
 * newest stay as long as all of them together take no more than `maxBytes`. Where the store is memory only what is served stays.
 * Called while nothing is being written.
 */
export async function removeOldSets(root: string, maxBytes: number): Promise<void> {
  const inMemory = await isInMemory(root)
  const linked = await linkedSets(root, inMemory)
  const sets = await Promise.all((await setDirectories(root)).map(measure))
  const wanted = sets.filter(({ dir }) => linked.has(dir))
  let bytes = wanted.reduce((sum, set) => sum + set.bytes, 0)
  const others = sets.filter(({ dir }) => !linked.has(dir)).sort((a, b) => b.mtimeMs - a.mtimeMs)
  for (const set of others) {
    bytes += set.bytes
    if (inMemory || bytes > maxBytes) await rm(set.dir, { recursive: true })
  }
}

/** Sets that some channel and arch point to. In memory a link to the one before is only in the way. */
async function linkedSets(root: string, inMemory: boolean): Promise<ReadonlySet<string>> {
  const linked = new Set<string>()
  for (const channel of await channelsIn(root)) {
    for (const name of await namesIn(channel)) {
      const link = join(channel, name)
      const isPrevious = name.startsWith(PREVIOUS)
      if (isPrevious && inMemory) await rm(link, { force: true })
      else if (isPrevious || !name.startsWith('.')) linked.add((await linkedSet(link)) ?? '')
    }
  }
  return linked
}

/** Hidden ones are being written, and removed by removeLeftovers. */
async function setDirectories(root: string): Promise<readonly string[]> {
  const { sets } = storePaths(root)
  return (await readdir(sets)).filter((name) => !name.startsWith('.')).map((name) => join(sets, name))
}

async function measure(dir: string): Promise<OldSet> {
  const sizes = await Promise.all((await namesIn(dir)).map(async (name) => (await lstat(join(dir, name))).size))
  return { dir, bytes: sizes.reduce((sum, size) => sum + size, 0), mtimeMs: (await lstat(dir)).mtimeMs }
}
