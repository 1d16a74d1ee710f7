import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ENVELOPE_FILE, ENVELOPE_MAX_BYTES } from './dsse.ts'
import { PlasmError } from './errors.ts'
import { openClient } from './http-client.ts'
import { MANIFEST_FILE } from './manifest.ts'
import { parseStrictJson } from './strict-json.ts'

const TIMEOUT_MS = 5_000

export interface ManifestSource {
  readonly bytes: Buffer
  /** File or URL. */
  readonly from: string
  readonly form: 'signed' | 'plain'
}

/**
 * The manifest that a person names: a document, a directory or a URL of either. Of a directory, the envelope comes first.
 * @throws PlasmError `manifest-missing` (facts: `from`) | `manifest-too-large` | `provider-unreachable` | `provider-error`
 */
export async function readManifestSource(where: string): Promise<ManifestSource> {
  const read = /^http:\/\//i.test(where) ? readUrl : readPath
  const isDocument = where.endsWith('.json') || (read === readPath && !(await isDirectory(where)))
  const places = isDocument ? [where] : [ENVELOPE_FILE, MANIFEST_FILE].map((name) => beside(where, name))
  for (const from of places) {
    const bytes = await read(from)
    if (bytes) return { bytes, from, form: from.endsWith(ENVELOPE_FILE) || isEnvelope(bytes) ? 'signed' : 'plain' }
  }
  throw new PlasmError('manifest-missing', `there is no manifest at ${where}`, {
    facts: { from: where },
    hint: 'name a directory <channel>/<arch>, a document in it, or the URL of one',
  })
}

/** Whether a document is meant to be an envelope. One that is broken counts as what its parser will refuse. */
export function isEnvelope(bytes: Uint8Array): boolean {
  try {
    const document = parseStrictJson(bytes, { maxBytes: ENVELOPE_MAX_BYTES, maxString: ENVELOPE_MAX_BYTES })
    return typeof document === 'object' && document !== null && 'payload' in document
  } catch {
    return false
  }
}

const beside = (where: string, name: string) =>
  /^http:\/\//i.test(where) ? `${where.replace(/\/$/, '')}/${name}` : join(where, name)

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

async function readPath(path: string): Promise<Buffer | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (!found) return undefined
  if (found.size > ENVELOPE_MAX_BYTES) throw tooLarge(path)
  return readFile(path)
}

async function readUrl(url: string): Promise<Buffer | undefined> {
  const { origin, pathname } = new URL(url)
  const client = await openClient(origin, {
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: { timeout: TIMEOUT_MS },
  })
  try {
    const { statusCode, body } = await client.request({ method: 'GET', path: pathname })
    if (statusCode === 404) return undefined
    if (statusCode !== 200) {
      throw new PlasmError('provider-error', `${url} answered ${statusCode}`, {
        facts: { provider: origin, status: statusCode },
      })
    }
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of body as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > ENVELOPE_MAX_BYTES) throw tooLarge(url)
      parts.push(part)
    }
    return Buffer.concat(parts)
  } catch (thrown) {
    if (thrown instanceof PlasmError) throw thrown
    throw new PlasmError('provider-unreachable', `${url} cannot be read: ${(thrown as Error).message}`, {
      facts: { provider: origin },
      hint: 'look whether a provider listens there (`plasmd serve`), and at the address and the port',
      cause: thrown,
    })
  } finally {
    await client.destroy()
  }
}

function tooLarge(from: string): PlasmError {
  return new PlasmError('manifest-too-large', `${from} is longer than any manifest, ${ENVELOPE_MAX_BYTES} bytes`, {
    facts: { from, limit: ENVELOPE_MAX_BYTES },
  })
}
