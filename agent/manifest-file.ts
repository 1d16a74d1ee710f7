import { join } from 'node:path'
import { ENVELOPE_FILE, ENVELOPE_MAX_BYTES } from '../service/dsse.ts'
import { MANIFEST_FILE, MANIFEST_MAX_BYTES } from '../service/manifest.ts'
import { readRegular } from './store-files.ts'
import type { RawManifest } from './verify.ts'

/**
 * The manifest that lies in a directory, as the document that travels: the envelope where there is one.
 * @returns undefined where there is neither
 * @throws PlasmError `not-a-file` | `file-too-large`
 */
export async function readManifestIn(directory: string): Promise<RawManifest | undefined> {
  const envelope = join(directory, ENVELOPE_FILE)
  const signed = await readRegular(envelope, ENVELOPE_MAX_BYTES)
  if (signed) return { bytes: signed, from: envelope, form: 'signed' }
  const file = join(directory, MANIFEST_FILE)
  const plain = await readRegular(file, MANIFEST_MAX_BYTES)
  return plain && { bytes: plain, from: file, form: 'plain' }
}
