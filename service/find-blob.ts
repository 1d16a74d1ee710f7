import { rolesOf } from './artifact-names.ts'
import { listFiles, listSets, readManifest, type SetDirectory } from './boot-sets.ts'
import { artifactsOf } from './manifest.ts'
import { type OpenFile, openInside } from './open-inside.ts'
import type { Site } from './site.ts'

/**
 * Opens the artifact that has a digest. A manifest only says where to look; what counts is the file's own digest.
 * @param digest `sha256:<hex>`
 */
export async function findBlob(site: Site, digest: string): Promise<OpenFile | undefined> {
  for (const set of await listSets(site.root)) {
    for (const name of await candidates(site.root, set, digest)) {
      const file = await openInside(site.root, set.path, name)
      if (!file) continue
      const found = await site.digests.digest(file).catch(() => undefined)
      if (found === digest) return file
      await file.handle.close()
    }
  }
  return undefined
}

/** Names that can have the digest: those a manifest gives it to, all artifacts where there is no manifest. */
async function candidates(root: string, set: SetDirectory, digest: string): Promise<readonly string[]> {
  const stored = await readManifest(root, set)
  if (!stored?.manifest) return [...rolesOf(await listFiles(set)).files.values()]
  return artifactsOf(stored.manifest).flatMap(({ hash, filename }) => (hash === digest ? [filename] : []))
}
