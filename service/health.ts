import { constants } from 'node:fs'
import { access, readdir, statfs } from 'node:fs/promises'
import { listSets, readManifest, type SetDirectory } from './boot-sets.ts'
import { artifactsOf } from './manifest.ts'
import { openInside } from './open-inside.ts'

/** Less room than this, and the next manifest could not be written. */
const SPACE_MIN_BYTES = 1024 * 1024

export interface Health {
  readonly status: 'healthy' | 'unhealthy'
  readonly checks: { readonly artifacts_readable: boolean; readonly disk_space_ok: boolean }
}

/** `GET /health` (INTEROP). Opens what is served, reads none of it. */
export async function health(root: string): Promise<Health> {
  const [readable, space] = await Promise.all([isReadable(root), hasSpace(root)])
  const checks = { artifacts_readable: readable, disk_space_ok: space }
  return { status: readable && space ? 'healthy' : 'unhealthy', checks }
}

/** Whether every artifact that a manifest here promises is there at its size. A root with nothing in it promises nothing. */
async function isReadable(root: string): Promise<boolean> {
  try {
    await readdir(root)
    const sets = await listSets(root)
    return (await Promise.all(sets.map((set) => isComplete(root, set)))).every(Boolean)
  } catch {
    return false
  }
}

async function isComplete(root: string, set: SetDirectory): Promise<boolean> {
  const stored = await readManifest(root, set)
  if (!stored?.manifest) return true
  for (const { filename, size_bytes } of artifactsOf(stored.manifest)) {
    const file = await openInside(root, set.path, filename)
    await file?.handle.close()
    if (file?.size !== size_bytes) return false
  }
  return true
}

/** Room matters only where this provider may write: a read-only medium is always full. A ramfs counts no blocks at all. */
async function hasSpace(root: string): Promise<boolean> {
  const found = await statfs(root).catch(() => undefined)
  if (!found || found.blocks === 0 || found.bavail * found.bsize >= SPACE_MIN_BYTES) return true
  return access(root, constants.W_OK).then(
    () => false,
    () => true,
  )
}
