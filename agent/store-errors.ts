import { statfsSync } from 'node:fs'
import { type Facts, PlasmError } from '../service/errors.ts'
import { errnoOf } from './errno.ts'

/**
 * Runs work on the store; what the system refuses gets a name of ours.
 * @throws PlasmError `store-full` | `store-read-only` | `storage-failed` | `too-many-files` (facts: `store`, `errno`, `path`)
 */
export async function onStore<T>(store: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw asStoreError(store, thrown)
  }
}

function asStoreError(store: string, thrown: unknown): unknown {
  if (thrown instanceof PlasmError) return thrown.code === 'scratch-full' ? storeFull(store, { cause: thrown }) : thrown
  const errno = errnoOf(thrown)
  const { path, message } = thrown as NodeJS.ErrnoException
  const init = { facts: { store, errno: errno ?? null, path: path ?? null }, cause: thrown }
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return storeFull(store, { cause: thrown })
    case 'EROFS':
      return new PlasmError('store-read-only', `${store} cannot be written to: ${message}`, {
        ...init,
        hint: 'mount that filesystem for writing; the kernel makes one read-only when its device fails, see dmesg',
      })
    case 'EIO':
      return new PlasmError('storage-failed', `a device failed under ${path ?? store}: ${message}`, {
        ...init,
        hint: 'see dmesg, and replace the device; what is served stays as it is',
      })
    case 'EMFILE':
    case 'ENFILE':
      return new PlasmError('too-many-files', `no file can be opened any more: ${message}`, {
        ...init,
        hint: errno === 'EMFILE' ? 'raise `ulimit -n` of this process' : 'raise fs.file-max of this machine',
      })
    default:
      return thrown
  }
}

/** @param about `needBytes` where it is known what was to be written */
export function storeFull(store: string, about: { readonly needBytes?: number; readonly cause?: unknown }): PlasmError {
  const { needBytes, cause } = about
  const facts: Facts = { store, ...(needBytes === undefined ? {} : { needBytes }), freeBytes: freeBytesOf(store) }
  const what = needBytes === undefined ? 'more' : `a set of ${needBytes} bytes`
  return new PlasmError('store-full', `${store} has no room for ${what}`, {
    facts,
    hint: 'free space on that filesystem (in a guest: give it more memory); what is served stays as it is',
    cause,
  })
}

export function freeBytesOf(store: string): number {
  const { bavail, bsize } = statfsSync(store)
  return bavail * bsize
}
