import { fstatSync, lstatSync } from 'node:fs'
import { PlasmError } from '../service/errors.ts'

/**
 * Checks that what is verified lies where only this user can get at it: between hash and kexec nobody may be able to put other
 * bytes there (TOCTOU).
 * @throws PlasmError `scratch-unsafe` (facts: `path`, `uid`, `mode`)
 */
export function checkPrivateDirectory(dir: string): void {
  const found = lstatSync(dir)
  const problem = !found.isDirectory()
    ? 'is not a directory'
    : found.uid !== process.geteuid?.()
      ? 'belongs to another user'
      : (found.mode & 0o077) !== 0
        ? 'is open to others'
        : undefined
  if (problem !== undefined) throw unsafe(dir, problem, found)
}

/**
 * Checks that a path still names the file that was written through an open descriptor.
 * @throws PlasmError `scratch-unsafe`
 */
export function checkStillThere({ fd, path }: { readonly fd: number; readonly path: string }): void {
  const written = fstatSync(fd)
  const named = lstatSync(path, { throwIfNoEntry: false })
  if (named && named.dev === written.dev && named.ino === written.ino) return
  throw unsafe(path, 'is no longer the file that was written', named ?? written)
}

function unsafe(path: string, problem: string, { uid, mode }: { uid: number; mode: number }): PlasmError {
  return new PlasmError('scratch-unsafe', `${path} ${problem}, so what is verified there could be replaced`, {
    facts: { path, uid, mode: (mode & 0o7777).toString(8) },
    hint: `find out who made it so, then remove ${path}`,
  })
}
