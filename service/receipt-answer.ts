import type { IncomingMessage, ServerResponse } from 'node:http'
import { findSet, readManifest, type SetDirectory } from './boot-sets.ts'
import { PlasmError } from './errors.ts'
import { notFound, sendJson } from './http-problem.ts'
import { artifactsOf, type Manifest, parseManifest, sha256Of } from './manifest.ts'
import { manifestOf } from './manifest-answer.ts'
import { openInside } from './open-inside.ts'
import { issueReceipt } from './receipt.ts'
import { RECEIPT_REQUEST_MAX_BYTES, type ReceiptRequest, readReceiptRequest } from './receipt-request.ts'
import type { Site } from './site.ts'

/**
 * `POST /receipts`: signs that a client has fetched a boot set from here, and tells the receipts that led to this machine.
 * @throws PlasmError `bad-request` | `request-forged` | `not-found` for a set that is not served | `nothing-sent`
 */
export async function answerReceipt(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const wanted = readReceiptRequest(await readBody(request))
  const bytes = await bytesSent(site, wanted, request.socket.remoteAddress ?? '')
  const { client, nonce, manifestDigest, channel, arch } = wanted
  const above = await site.lineage()
  const receipt = issueReceipt(site.key, {
    client,
    nonce,
    manifestDigest,
    channel,
    arch,
    bytes,
    issuedAt: new Date().toISOString(),
    parent: above?.digest ?? null,
  })
  sendJson(response, 200, { receipt, lineage: above?.envelopes ?? [] })
}

async function bytesSent(site: Site, wanted: ReceiptRequest, address: string): Promise<number> {
  const set = await findSet(site.root, wanted.channel, wanted.arch)
  const manifest = set && (await manifestWithDigest(site, set, wanted.manifestDigest))
  if (!set || !manifest) throw notFound()
  let bytes = 0
  for (const { filename } of artifactsOf(manifest)) {
    const file = await openInside(site.root, set.path, filename)
    if (!file) continue
    bytes += site.clients.of(address, file)
    await file.handle.close()
  }
  if (bytes > 0) return bytes
  throw new PlasmError('nothing-sent', 'nothing of this set went to your address, as far as this provider remembers')
}

/** The set's manifest where it is the one with this digest. */
async function manifestWithDigest(site: Site, set: SetDirectory, digest: string): Promise<Manifest | undefined> {
  const stored = await readManifest(site.root, set)
  if (stored) return stored.digest === digest ? (stored.manifest ?? undefined) : undefined
  const made = await manifestOf(site, set)
  return made && sha256Of(made) === digest ? parseManifest(made) : undefined
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > RECEIPT_REQUEST_MAX_BYTES) {
      throw new PlasmError('bad-request', `receipt request: longer than ${RECEIPT_REQUEST_MAX_BYTES} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}
