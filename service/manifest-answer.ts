import { rolesOf } from './artifact-names.ts'
import { listFiles, readManifest, type SetDirectory } from './boot-sets.ts'
import { type DescribedArtifact, manifestDocument } from './manifest-document.ts'
import { openInside } from './open-inside.ts'
import type { Site } from './site.ts'

const DAY_MS = 24 * 3600 * 1000
const EXPIRES_AFTER_DAYS = 30
/** Release version in a manifest that nobody generated. */
const UNVERSIONED = 'unversioned'

/**
 * The manifest of a set: the file beside the artifacts byte for byte, else the one that an envelope there holds, or else one
 * made from what lies there.
 * @returns undefined where there is neither
 */
export async function manifestOf(site: Site, set: SetDirectory, now = new Date()): Promise<Uint8Array | undefined> {
  const stored = await readManifest(site.root, set)
  return stored ? stored.bytes : makeManifest(site, set, now)
}

/**
 * Made without a publisher: no sequence, no chunks. The times come from the files and the calendar day, so that one day's
 * document keeps its digest for as long as the files stay the same.
 */
async function makeManifest(site: Site, set: SetDirectory, now: Date): Promise<Uint8Array | undefined> {
  const { files } = rolesOf(await listFiles(set))
  if (!files.has('kernel') || !files.has('initramfs')) return undefined
  const artifacts: DescribedArtifact[] = []
  let newestMs = 0
  for (const [role, filename] of files) {
    const file = await openInside(site.root, set.path, filename)
    if (!file) return undefined
    try {
      const hash = await site.digests.digest(file)
      if (hash === undefined || file.size === 0) return undefined
      artifacts.push({ role, filename, sizeBytes: file.size, hash })
      newestMs = Math.max(newestMs, file.mtimeMs)
    } finally {
      await file.handle.close()
    }
  }
  const { channel, arch } = set
  const today = Math.floor(now.getTime() / DAY_MS) * DAY_MS
  const times = { createdAt: new Date(newestMs), expiresAt: new Date(today + EXPIRES_AFTER_DAYS * DAY_MS) }
  return manifestDocument({ version: UNVERSIONED, channel, arch, ...times, artifacts })
}
