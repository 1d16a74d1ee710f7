import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseRange } from './byte-range.ts'
import { PlasmError } from './errors.ts'
import type { OpenFile } from './open-inside.ts'
import { sendRange } from './send-file.ts'
import type { Site } from './site.ts'

/** Clients give up on a server that does not even begin to answer; 3 s is the shortest patience in this family. */
const DIGEST_WITHIN_MS = 1000

/**
 * Answers GET and HEAD of a file from its descriptor, and closes it. A set swapped meanwhile changes nothing: the bytes stay
 * those of the file that was opened.
 * @throws PlasmError `range-not-satisfiable` | `busy`
 */
export async function answerFile(site: Site, request: IncomingMessage, response: ServerResponse, file: OpenFile) {
  let hashing: Promise<unknown> = Promise.resolve()
  try {
    const etag = entityTag(file)
    const range = parseRange(wantedRange(request, etag), file.size)
    if (range === 'unsatisfiable') {
      throw new PlasmError('range-not-satisfiable', `the file has ${file.size} bytes`, { facts: { size: file.size } })
    }
    const slot = request.method === 'GET' ? site.transfers.acquire() : undefined
    if (request.method === 'GET' && !slot) {
      throw new PlasmError('busy', 'too many transfers are running; try again soon')
    }
    let clean = false
    try {
      const asked = askDigest(site, request, file, range !== 'whole')
      hashing = asked.running
      const hash = await asked.digest
      const { first, last } = range === 'whole' ? { first: 0, last: file.size - 1 } : range
      response.writeHead(range === 'whole' ? 200 : 206, {
        'content-type': 'application/octet-stream',
        'content-length': last + 1 - first,
        'accept-ranges': 'bytes',
        etag,
        ...(hash === undefined ? {} : { 'x-artifact-hash': hash }),
        ...(range === 'whole' ? {} : { 'content-range': `bytes ${first}-${last}/${file.size}` }),
      })
      if (!slot) {
        response.end()
        return
      }
      const address = request.socket.remoteAddress ?? ''
      clean = await sendRange(response, file.handle, { first, last }, slot.buffers, (bytes) => {
        site.metrics.bytesServed += bytes
        site.clients.sent(address, file, bytes)
      })
    } finally {
      slot?.release(clean)
    }
  } finally {
    // The descriptor may still be read by a hash that others wait for too.
    void hashing.catch(() => {}).finally(() => file.handle.close())
  }
}

/** Strong, as it changes with every change of the file (RFC 9110, 8.8.1); hashed, as inode numbers are nobody's business. */
function entityTag({ identity }: OpenFile): string {
  return `"${createHash('sha256').update(identity).digest('hex').slice(0, 24)}"`
}

/** Ranges are for GET (RFC 9110, 14.2); If-Range asks for the whole when the file is no longer the same (13.1.5). */
function wantedRange(request: IncomingMessage, etag: string): string | undefined {
  const condition = request.headers['if-range']
  if (request.method !== 'GET' || (condition !== undefined && condition !== etag)) return undefined
  return request.headers.range
}

/**
 * The digest for X-Artifact-Hash, which is only ever computed from the file itself: the manifest beside it is a claim, and
 * a header that repeats a claim says nothing. Computing costs a second per 80 MB in an emulated guest, so nobody pays for
 * what nobody reads:
 *
 * - HEAD waits for it: that header is what the client came for.
 * - GET of the whole waits a moment, so that a person with curl sees it; a large file's first client goes without, while the hash
 *   is finished for the next one. A trailer could carry it, but trailers need chunked coding, which has no Content-Length.
 * - GET of a range, and a client that says it checks by itself (RFC 9530, 4: a weight of 0 declines), get it when it is known.
 */
function askDigest(site: Site, request: IncomingMessage, file: OpenFile, isRange: boolean) {
  const known = site.digests.known(file)
  if (known !== undefined || isRange || declines(request)) {
    return { digest: Promise.resolve(known), running: Promise.resolve() }
  }
  const running = site.digests.digest(file)
  if (request.method === 'HEAD') return { digest: running, running }
  const patience = new AbortController()
  const enough = sleep(DIGEST_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => undefined)
  return { digest: Promise.race([running, enough]).finally(() => patience.abort()), running }
}

/** `Want-Repr-Digest: sha-256=0` (RFC 9530, 4). */
function declines(request: IncomingMessage): boolean {
  return /(^|,)\s*sha-256\s*=\s*0\s*(,|$)/.test(String(request.headers['want-repr-digest'] ?? ''))
}
