import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostArch } from '../../service/arch.ts'
import { type ReceiptRequest, readReceiptRequest } from '../../service/receipt-request.ts'
import type { TestSet } from './boot-set.ts'

/** A request that a provider saw; `from` is where its range begins, `sent` what it was answered with. */
export interface Seen {
  readonly path: string
  readonly from: number
  sent: number
}

/** Answers a request for a file in some wrong way; returns false to leave it to the good one. */
export type Misbehave = (request: {
  readonly file: string
  readonly from: number
  readonly bytes: Buffer
  readonly response: ServerResponse
  readonly seen: Seen
  readonly count: number
  /** Ends the whole provider at once. */
  readonly kill: () => void
}) => boolean

export interface TestProvider {
  readonly url: string
  readonly seen: readonly Seen[]
  /** Bytes of artifacts that were sent. */
  artifactBytes(): number
  close(): Promise<void>
}

/** What `POST /receipts` is answered with: JSON, or whatever the response was made to be. */
export type Receipts = (request: ReceiptRequest, response: ServerResponse) => unknown

/** A provider on loopback that speaks INTEROP's HTTP, except where a test has it misbehave. */
export async function startProvider(
  set: TestSet,
  about: {
    misbehave?: Misbehave
    status?: Record<string, unknown>
    channel?: string
    port?: number
    /** Answers `POST /receipts`; without it that is a path like any other. */
    receipts?: Receipts
  } = {},
): Promise<TestProvider> {
  const base = `/${about.channel ?? 'stable'}/${hostArch()}/`
  const seen: Seen[] = []
  const kill = () => {
    server.closeAllConnections()
    server.close()
  }
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    if (path === '/status' && about.status) return void response.end(JSON.stringify(about.status))
    if (path === `${base}manifest.json`) return void response.end(set.manifest)
    if (path === `${base}manifest.dsse.json` && set.envelope) return void response.end(set.envelope)
    if (path === '/receipts' && about.receipts) return void answerReceipt(about.receipts, request, response)
    const file = path.startsWith(base) ? path.slice(base.length) : ''
    const bytes = set.files[file]
    if (!bytes) return void response.writeHead(404).end()
    const from = rangeStart(request)
    const entry: Seen = { path, from, sent: 0 }
    seen.push(entry)
    const count = seen.filter((other) => other.path === path).length
    if (about.misbehave?.({ file, from, bytes, response, seen: entry, count, kill })) return
    answer(response, bytes, from, entry)
  })
  server.listen(about.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    artifactBytes: () => seen.reduce((sum, { sent }) => sum + sent, 0),
    async close() {
      if (!server.listening) return
      kill()
      await once(server, 'close')
    },
  }
}

async function answerReceipt(receipts: Receipts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const wanted = readReceiptRequest(Buffer.concat(await request.toArray()))
  const body = receipts(wanted, response)
  if (!response.writableEnded && !response.destroyed) response.end(JSON.stringify(body))
}

export function answer(response: ServerResponse, bytes: Buffer, from: number, seen: Seen): void {
  const body = bytes.subarray(from)
  seen.sent += body.length
  const headers = { 'content-length': body.length, 'content-type': 'application/octet-stream' }
  if (from === 0) response.writeHead(200, headers).end(body)
  else
    response
      .writeHead(206, { ...headers, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` })
      .end(body)
}

function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
}
