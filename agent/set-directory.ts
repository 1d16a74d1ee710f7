import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { MANIFEST_FILE, type ManifestArtifact } from '../service/manifest.ts'
import { readManifestIn } from './manifest-file.ts'
import type { RawManifest } from './verify.ts'

/**
 * The manifest of a set that lies in a directory, which must have one.
 * @throws PlasmError `artifact-missing` | `not-a-file` | `file-too-large`
 */
export async function requireManifestIn(directory: string): Promise<RawManifest> {
  const raw = await readManifestIn(directory).catch((cause) => {
    throw cause instanceof PlasmError ? cause : missing(MANIFEST_FILE, directory, cause)
  })
  if (raw) return raw
  throw missing(MANIFEST_FILE, directory, undefined)
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
    hint: 'name a directory that holds manifest.dsse.json or manifest.json, and every artifact it lists',
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
