import { writeSync } from 'node:fs'
import { PlasmError } from '../service/errors.ts'
import { errnoOf } from './errno.ts'

/**
 * Writes all bytes at an offset. Synchronous: the target is a tmpfs, where a write is a copy, and a thread hop costs more on
 * the one CPU of a small guest.
 * @throws PlasmError `scratch-full` (facts: `file`, `offset`, `bytes`)
 */
export function writeAt(file: { readonly fd: number; readonly path: string }, bytes: Uint8Array, offset: number): void {
  let done = 0
  while (done < bytes.length) {
    const written = attempt(file, bytes, done, offset)
    // POSIX lets a write end short; one of nothing would go on for ever.
    if (written === 0) throw full(file.path, offset + done, bytes.length - done)
    done += written
  }
}

function attempt(file: { fd: number; path: string }, bytes: Uint8Array, done: number, offset: number): number {
  try {
    return writeSync(file.fd, bytes, done, bytes.length - done, offset + done)
  } catch (thrown) {
    const code = errnoOf(thrown)
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
      throw full(file.path, offset + done, bytes.length - done, thrown)
    }
    throw thrown
  }
}

function full(file: string, offset: number, bytes: number, cause?: unknown): PlasmError {
  return new PlasmError('scratch-full', `no room left for ${file} at byte ${offset}`, {
    facts: { file, offset, bytes },
    hint: 'give the machine more memory, or free the filesystem that holds this file',
    cause,
  })
}
