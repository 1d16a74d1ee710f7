import { randomUUID } from 'node:crypto'
import { lstat, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { MANIFEST_FILE } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import { ifThere } from './if-there.ts'
import { ensureDirectory, PUBLIC_FILE, syncDirectory, writeWhole } from './store-files.ts'
import { checkSet } from './store-safety.ts'
import type { VerifiedManifest } from './verify.ts'

const INCOMING = '.incoming-'
const NEW_LINK = '.link-'

/** A boot set that lies whole in the store and is what its channel and arch point to. */
export interface StoredSet {
  readonly verified: VerifiedManifest
  /** `<store>/.sets/<digest hex>` */
  readonly dir: string
}

/** Where a set is written before it counts; hidden, on the store's own filesystem, so that a rename is enough. */
export function incomingDirectory(root: string, id: string = randomUUID()): string {
  return join(storePaths(root).sets, `${INCOMING}${id}`)
}

/** Removes what an agent that was killed left half done, except `keep`. */
export async function removeLeftovers(root: string, keep?: string): Promise<void> {
  const { sets } = storePaths(root)
  for (const name of await namesIn(sets)) {
    const dir = join(sets, name)
    if (name.startsWith(INCOMING) && dir !== keep) await rm(dir, { recursive: true })
  }
  for (const channel of await channelsIn(root)) {
    for (const name of await namesIn(channel)) if (name.startsWith(NEW_LINK)) await rm(join(channel, name))
  }
}

/**
 * Makes a directory with all of a set's artifacts the set that is served (DESIGN decision 7). Readers see the old set or
 * the new one, whenever the power goes. Doing it again changes nothing.
 * @param dir an incoming directory whose files are synced, or the set's own
 * @throws PlasmError `store-unsafe`
 */
export async function publish(root: string, dir: string, verified: VerifiedManifest): Promise<StoredSet> {
  const { channel, arch } = verified.manifest
  const paths = storePaths(root)
  const { dir: home } = await keepSet(root, dir, verified)
  const link = paths.link(channel, arch)
  await ensureDirectory(dirname(link))
  const before = await linkedSet(link)
  if (before !== undefined && before !== home) await swapLink(paths.previous(channel, arch), before)
  await swapLink(link, home)
  return { verified, dir: home }
}

/**
 * Makes a directory with all of a set's artifacts a whole set of the store, which nothing points to yet.
 * @param dir as for {@link publish}
 * @throws PlasmError `store-unsafe`
 */
export async function keepSet(root: string, dir: string, verified: VerifiedManifest): Promise<StoredSet> {
  const { digest, bytes, file, plain } = verified
  const paths = storePaths(root)
  const home = paths.set(digest)
  await checkSet(home, [])
  await writeWhole(join(dir, MANIFEST_FILE), plain, PUBLIC_FILE)
  if (file !== MANIFEST_FILE) await writeWhole(join(dir, file), bytes, PUBLIC_FILE)
  if (dir !== home) await settle(dir, home)
  await syncDirectory(paths.sets)
  return { verified, dir: home }
}

/**
 * Moves a whole set to where it belongs. Where the same set lies already, perhaps served and with a damaged file, its files are
 * replaced one by one: each is the same bytes as before or the right ones, so at no time is less there than there was.
 */
async function settle(dir: string, home: string): Promise<void> {
  if (!(await exists(home))) return rename(dir, home)
  for (const name of await readdir(dir)) {
    const target = join(home, name)
    if ((await ifThere(lstat(target)))?.isDirectory()) await rm(target, { recursive: true })
    await rename(join(dir, name), target)
  }
  await syncDirectory(home)
  // Two names of one file are left as they are by rename(2).
  await rm(dir, { recursive: true })
}

async function swapLink(link: string, home: string): Promise<void> {
  const temporary = join(dirname(link), `${NEW_LINK}${randomUUID()}`)
  await symlink(relative(dirname(link), home), temporary)
  await rename(temporary, link)
  await syncDirectory(dirname(link))
}

/** Takes a set out of service. Its files stay, for whoever wants to know what went wrong. */
export async function unpublish(root: string, { verified }: StoredSet): Promise<void> {
  const link = storePaths(root).link(verified.manifest.channel, verified.manifest.arch)
  await rm(link, { force: true })
  await syncDirectory(dirname(link))
}

/** The directory that a link of the store points to, or undefined. */
export async function linkedSet(link: string): Promise<string | undefined> {
  const target = await ifThere(readlink(link))
  return target === undefined ? undefined : resolve(dirname(link), target)
}

/** The channels' directories. */
export async function channelsIn(root: string): Promise<readonly string[]> {
  const entries = (await ifThere(readdir(root, { withFileTypes: true }))) ?? []
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => join(root, name))
}

export const namesIn = async (dir: string): Promise<readonly string[]> => (await ifThere(readdir(dir))) ?? []

export const exists = async (path: string): Promise<boolean> => (await ifThere(lstat(path))) !== undefined
