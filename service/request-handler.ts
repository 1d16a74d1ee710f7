import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseRange } from './byte-range.ts'
import type { DigestCache, OpenFile } from './digest-cache.ts'
import { MANIFEST_FILE } from './manifest.ts'
import type { ProviderState } from './provider-state.ts'
import { parseTarget, type Target } from './request-path.ts'
import { sendBytes } from './send-file.ts'
import { DOCUMENTS, type ServedRoot, type SetPlace } from './served-root.ts'

/** Each running transfer holds about 2 MiB (two buffers); beyond this many, clients are asked to come again. */
const MOST_TRANSFERS = 64
const RETRY_AFTER_SECONDS = 2

export interface HandlerParts {
  readonly root: ServedRoot
  readonly digests: DigestCache
  readonly state: ProviderState
  readonly channel: string
  readonly arch: string
  readonly mostTransfers?: number
}

/** Answers one request. Never throws: a failure becomes a response, or a closed connection once the head is out. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export function createRequestHandler(parts: HandlerParts): RequestHandler {
  const { root, state } = parts
  return async (request, response) => {
    state.countRequest()
    const target = parseTarget(request.url ?? '/')
    if (!target) return sendError(response, request, 404, 'not-found', 'there is nothing at this path')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return sendError(response, request, 405, 'method-not-allowed', 'only GET and HEAD are answered')
    }
    switch (target.kind) {
      case 'index':
        return sendJson(response, request, 200, state.index())
      case 'health': {
        const health = await state.health(root)
        return sendJson(response, request, health.status === 'healthy' ? 200 : 503, health)
      }
      case 'status':
        return sendJson(response, request, 200, await state.status(root))
      default:
        return serveFile(parts, request, response, target)
    }
  }
}

async function serveFile(
  parts: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
  target: Exclude<Target, { kind: 'index' | 'health' | 'status' }>,
): Promise<void> {
  const { root, state } = parts
  if (target.kind === 'blob') return serveBlob(parts, request, response, target.sha256)
  const wanted = target.kind === 'file' ? target : { channel: parts.channel, arch: parts.arch, name: MANIFEST_FILE }
  const place = await root.set(wanted.channel, wanted.arch)
  const file = place && (await root.open(place, wanted.name))
  if (file) return transfer(parts, request, response, file, wanted.name)
  if (place && wanted.name === MANIFEST_FILE) {
    const made = await state.madeManifest(place)
    if (made) return sendBody(response, request, 200, 'application/json', made)
  }
  sendError(response, request, 404, 'not-found', 'this provider has no such artifact')
}

/** By content: the file whose digest it is, wherever it lies. */
async function serveBlob(
  parts: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
  sha256: string,
): Promise<void> {
  for (const place of await parts.root.sets()) {
    const file = await openByDigest(parts, place, sha256)
    if (file) return transfer(parts, request, response, file, `${sha256}.bin`)
  }
  sendError(response, request, 404, 'not-found', 'this provider has no such blob')
}

async function openByDigest(parts: HandlerParts, place: SetPlace, sha256: string): Promise<OpenFile | undefined> {
  for (const role of await parts.state.roles(place)) {
    const file = await parts.root.open(place, role)
    if (!file) continue
    if ((await parts.digests.digest(file)) === sha256) return file
    await file.handle.close()
  }
  return undefined
}

async function transfer(
  { digests, state, mostTransfers = MOST_TRANSFERS }: HandlerParts,
  request: IncomingMessage,
  response: ServerResponse,
  file: OpenFile,
  name: string,
): Promise<void> {
  const release = state.beginTransfer(mostTransfers)
  try {
    if (!release) {
      response.setHeader('retry-after', String(RETRY_AFTER_SECONDS))
      return sendError(response, request, 503, 'busy', 'too many transfers at once; come again')
    }
    const document = (DOCUMENTS as readonly string[]).includes(name)
    const range = document ? ({ kind: 'whole' } as const) : parseRange(request.headers.range, file.size)
    response.setHeader('accept-ranges', 'bytes')
    if (range.kind === 'unsatisfiable') {
      response.setHeader('content-range', `bytes */${file.size}`)
      return sendError(response, request, 416, 'range-not-satisfiable', `the file has ${file.size} bytes`)
    }
    // Whoever asks for the whole file is told its digest, even if it has to be read first. A range request (which is how the
    // agent fetches and self-checks, with digests of its own) is told only what is known already, and never waits.
    const digest = document ? undefined : range.kind === 'part' ? digests.known(file) : await digests.digest(file)
    if (digest) response.setHeader('x-artifact-hash', `sha256:${digest}`).setHeader('etag', `"sha256:${digest}"`)
    const [first, last] = range.kind === 'part' ? [range.first, range.last] : [0, file.size - 1]
    if (range.kind === 'part') response.setHeader('content-range', `bytes ${first}-${last}/${file.size}`)
    response.setHeader('content-type', document ? 'application/json' : 'application/octet-stream')
    response.setHeader('content-length', last - first + 1)
    response.statusCode = range.kind === 'part' ? 206 : 200
    if (request.method === 'HEAD') response.end()
    else await sendBytes(response, file, first, last, state.countBytes)
  } catch (thrown) {
    state.log.warn({ err: thrown }, 'transfer failed')
    response.destroy()
  } finally {
    release?.()
    await file.handle.close()
  }
}

function sendError(
  response: ServerResponse,
  request: IncomingMessage,
  status: number,
  error: string,
  message: string,
): void {
  sendJson(response, request, status, { error, message })
}

function sendJson(response: ServerResponse, request: IncomingMessage, status: number, document: unknown): void {
  sendBody(response, request, status, 'application/json', Buffer.from(JSON.stringify(document)))
}

function sendBody(
  response: ServerResponse,
  request: IncomingMessage,
  status: number,
  type: string,
  body: Uint8Array,
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': body.byteLength })
  response.end(request.method === 'HEAD' ? undefined : body)
}
