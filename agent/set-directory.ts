import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { MANIFEST_FILE, MANIFEST_MAX_BYTES, type ManifestArtifact } from '../service/manifest.ts'
import { readRegular } from './store-files.ts'
import type { RawManifest } from './verify.ts'

/** The manifest of a set that lies in a directory. @throws PlasmError `artifact-missing` | `not-a-file` | `file-too-large` */
export async function readManifestIn(directory: string): Promise<RawManifest> {
  const file = join(directory, MANIFEST_FILE)
  const bytes = await readRegular(file, MANIFEST_MAX_BYTES)
  if (!bytes) throw missing(MANIFEST_FILE, directory, undefined)
  return { bytes, from: file }
}

/**
 * Opens an artifact under the manifest's file name, or under the name of its role, which is how some inits save it.
 * @throws PlasmError `artifact-missing`
 */
export async function openArtifact(
  directory: string,
  { role, filename }: ManifestArtifact & { readonly role: string },
): Promise<FileHandle> {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  return open(join(directory, filename), flags)
    .catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') return open(join(directory, role), flags)
      throw thrown
    })
    .catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT' || thrown.code === 'ELOOP') throw missing(role, directory, thrown)
      throw thrown
    })
}

export function missing(what: string, directory: string, cause: unknown): PlasmError {
  return new PlasmError('artifact-missing', `${what} is not in ${directory}`, {
    facts: { artifact: what, directory },
    hint: 'name a directory that holds manifest.json and every artifact it lists',
    cause,
  })
}

export function artifactSize(role: string, directory: string, expected: number, found: number): PlasmError {
  return new PlasmError(
    'artifact-size',
    `${role} in ${directory} has ${found} bytes, and the manifest says ${expected}`,
    {
      facts: { artifact: role, expected, found },
      hint: 'fetch it again',
    },
  )
}
