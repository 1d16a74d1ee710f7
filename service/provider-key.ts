import type { Logger } from 'pino'
import { makeNodeKey, type NodeKey, openNodeKey } from './node-key.ts'
import { storePaths } from './store-layout.ts'

const CANNOT_WRITE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'])

/** Whether a key could not be kept: what nothing can be written to is served all the same. */
export const cannotKeep = (thrown: unknown): boolean => CANNOT_WRITE.has((thrown as NodeJS.ErrnoException).code ?? '')

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
    if (!cannotKeep(thrown)) throw thrown
    const { code } = thrown as NodeJS.ErrnoException
    log.warn(
      { errno: code },
      'the served directory cannot hold a node key: this provider gets a new peer id at each start',
    )
    return makeNodeKey()
  }
}
