import { stat } from 'node:fs/promises'
import type { StoredLineage } from './lineage-file.ts'
import { storePaths } from './store-layout.ts'

/** The lineage of the machine that serves a root; read again only when its file has changed, since /status is asked often. */
export function createOwnLineage(root: string, client: string): () => Promise<StoredLineage | undefined> {
  const file = storePaths(root).lineage
  let known: { readonly identity: string; readonly lineage: Promise<StoredLineage | undefined> } | undefined
  return async () => {
    const found = await stat(file, { bigint: true }).catch(() => undefined)
    if (!found) return undefined
    const identity = [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')
    if (known?.identity !== identity) known = { identity, lineage: load(file, client) }
    return known.lineage
  }
}

/** An origin has no lineage: it need not load what checks one. */
async function load(file: string, client: string): Promise<StoredLineage | undefined> {
  const { readLineage } = await import('./lineage-file.ts')
  return readLineage(file, { client })
}
