import type { Logger } from 'pino'
import { makeNodeKey, type NodeKey, openNodeKey } from './node-key.ts'
import { storePaths } from './store-layout.ts'

/** A root that nothing can be written to is served all the same. */
const CANNOT_WRITE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'])

/**
 * The key that a provider signs with: that of a file, or of the root it serves; one for this run alone where the root cannot
 * hold one.
 * @throws PlasmError `node-key-exposed` | `node-key-invalid`; the system's error for a file that was named
 */
export async function providerKey(root: string, file: string | undefined, log: Pick<Logger, 'warn'>): Promise<NodeKey> {
  if (file !== undefined) return openNodeKey(file)
  try {
    return await openNodeKey(storePaths(root).nodeKey)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (!CANNOT_WRITE.has(code ?? '')) throw thrown
    log.warn(
      { errno: code },
      'the served directory cannot hold a node key: this provider gets a new peer id at each start',
    )
    return makeNodeKey()
  }
}
