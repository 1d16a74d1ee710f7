import { dirname } from 'node:path'
import type { Logger } from 'pino'
import { asPlasmError, PlasmError } from './errors.ts'
import { makeNodeKey, type NodeKey, openNodeKey } from './node-key.ts'
import { storePaths } from './store-layout.ts'

const CANNOT_WRITE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'])

/** Whether a key could not be kept: what nothing can be written to is served all the same. */
export const cannotKeep = (thrown: unknown): boolean => CANNOT_WRITE.has((thrown as NodeJS.ErrnoException).code ?? '')

/**
 * The key that a provider signs with: that of a file, or of the root it serves; one for this run alone where the root cannot
 * hold one.
 * @throws PlasmError `node-key-exposed` | `node-key-invalid` | `node-key-unavailable` (facts: `file`), for a file that was named
 */
export async function providerKey(root: string, file: string | undefined, log: Pick<Logger, 'warn'>): Promise<NodeKey> {
  if (file !== undefined) {
    return openNodeKey(file).catch((thrown: unknown) => {
      throw thrown instanceof PlasmError ? thrown : unavailable(file, thrown)
    })
  }
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

function unavailable(file: string, cause: unknown): PlasmError {
  const { code } = cause as NodeJS.ErrnoException
  const directory = dirname(file)
  const [problem, hint] = whyUnavailable(directory, code) ?? [
    asPlasmError(cause).message,
    'name a file with --identity that this user can read, or make where it is missing',
  ]
  return new PlasmError('node-key-unavailable', `the node key ${file} can be neither read nor made: ${problem}`, {
    facts: { file, ...(code === undefined ? {} : { errno: code }) },
    hint,
    cause,
  })
}

function whyUnavailable(directory: string, code: string | undefined): readonly [string, string] | undefined {
  const another = 'name another file with --identity'
  if (code === 'ENOENT') return [`there is no directory ${directory}`, `make it (mkdir -p ${directory}), or ${another}`]
  return code === 'ENOTDIR' ? [`${directory} is no directory`, another] : undefined
}
