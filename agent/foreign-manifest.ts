import { asPlasmError } from '../service/errors.ts'
import { MANIFEST_MAX_BYTES, type Manifest, parseManifest } from '../service/manifest.ts'
import { mismatch, readBack } from './read-back.ts'

/**
 * Holds the manifest that a foreign plasmd writes itself, afresh at each request (INTEROP: the plain manifest), against the one
 * that was stored: its bytes differ, the artifacts it names must not. What it says of signatures is not read: nobody can verify
 * them.
 * @throws PlasmError `self-check-mismatch` (facts: `artifact`: `manifest`) | `self-check-unreachable`
 */
export async function checkForeignManifest(url: string, { artifacts }: Manifest): Promise<void> {
  const parts: Buffer[] = []
  let length = 0
  const answer = await readBack(url, 'GET', (data) => {
    length += data.length
    if (length > MANIFEST_MAX_BYTES) throw new Error(`it sends more than ${MANIFEST_MAX_BYTES} bytes`)
    // Copied: the buffer is used again.
    parts.push(Buffer.from(data))
  })
  const expected = artifactList(artifacts)
  const found = answer.status === 200 ? artifactsIn(Buffer.concat(parts)) : `HTTP ${answer.status}`
  if (found !== expected) throw mismatch('manifest', { expected, found, where: 'server' })
}

function artifactsIn(document: Buffer): string {
  try {
    return artifactList(parseManifest(document).artifacts)
  } catch (thrown) {
    return asPlasmError(thrown).message
  }
}

const artifactList = (artifacts: Manifest['artifacts']): string =>
  Object.entries(artifacts)
    .map(([role, { filename, size_bytes, hash }]) => `${role} ${filename} ${size_bytes} ${hash}`)
    .sort()
    .join('; ')
