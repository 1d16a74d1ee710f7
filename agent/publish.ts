import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { MANIFEST_FILE } from '../service/manifest.ts'
import { storePaths } from '../service/store-layout.ts'
import { PUBLIC_FILE, syncDirectory, writeWhole } from './store-files.ts'
import type { VerifiedManifest } from './verify.ts'

const INCOMING = '.incoming-'

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

/** Removes what an agent that was killed left half written, except `keep`. */
export async function removeLeftovers(root: string, keep?: string): Promise<void> {
  const { sets } = storePaths(root)
  for (const name of await readdir(sets).catch(() => [])) {
    const dir = join(sets, name)
    if (name.startsWith(INCOMING) && dir !== keep) await rm(dir, { recursive: true })
  }
}

/**
 * Makes a directory with all of a set's artifacts the set that is served (DESIGN decision 7). Readers see the old set or
 * the new one. Doing it again changes nothing.
 * @param dir an incoming directory, or the set's own
 */
export async function publish(root: string, dir: string, verified: VerifiedManifest): Promise<StoredSet> {
  const { manifest, digest, bytes, file, plain } = verified
  const paths = storePaths(root)
  const home = paths.set(digest)
  await writeWhole(join(dir, MANIFEST_FILE), plain, PUBLIC_FILE)
  if (file !== MANIFEST_FILE) await writeWhole(join(dir, file), bytes, PUBLIC_FILE)
  if (dir !== home) {
    // Only a set that was taken out of service can lie there already.
    await rm(home, { recursive: true, force: true })
    await rename(dir, home)
  }
  await syncDirectory(paths.sets)
  await swapLink(paths.link(manifest.channel, manifest.arch), home)
  return { verified, dir: home }
}

async function swapLink(link: string, home: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true, mode: 0o755 })
  const temporary = join(dirname(link), `.${randomUUID()}`)
  await symlink(relative(dirname(link), home), temporary)
  await rename(temporary, link)
  await syncDirectory(dirname(link))
}

/** Takes a set out of service. Its files stay, for whoever wants to know what went wrong. */
export async function unpublish(root: string, { verified }: StoredSet): Promise<void> {
  const link = storePaths(root).link(verified.manifest.channel, verified.manifest.arch)
  await rm(link, { force: true })
}

/** Removes the sets that no channel and arch point to any more: in a guest the store is RAM. */
export async function removeUnlinked(root: string): Promise<void> {
  const { sets } = storePaths(root)
  const linked = new Set(await linkedSets(root))
  for (const name of await readdir(sets)) {
    const dir = join(sets, name)
    if (!linked.has(dir) && !name.startsWith(INCOMING)) await rm(dir, { recursive: true })
  }
}

async function linkedSets(root: string): Promise<readonly string[]> {
  const channels = (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const places = await Promise.all(
    channels.map(async ({ name }) => (await readdir(join(root, name))).map((arch) => join(root, name, arch))),
  )
  const targets = places.flat().map((link) =>
    readlink(link).then(
      (target) => [resolve(dirname(link), target)],
      () => [],
    ),
  )
  return (await Promise.all(targets)).flat()
}

export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
