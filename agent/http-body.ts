import type { ClientRequest, IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { PlasmError } from '../service/errors.ts'
import type { Place } from './candidate.ts'
import type { Patience } from './http-stream.ts'

/** How long a provider may keep us waiting, and how often it may fail. */
export interface TransferLimits extends Patience {
  /** Tries in a row that bring nothing verified, before the provider is given up. */
  readonly tries: number
  /** First pause between tries; doubles. */
  readonly pauseMs: number
}

export const TRANSFER_LIMITS: TransferLimits = {
  connectMs: 3_000,
  headersMs: 5_000,
  stallMs: 10_000,
  tries: 3,
  pauseMs: 250,
}

/** For a small document whole, however steadily its bytes come. */
const DOCUMENT_WITHIN_MS = 10_000

/** An answer whose body is still to be read. */
export interface ProviderAnswer {
  readonly statusCode: number
  readonly headers: IncomingHttpHeaders
  readonly body: Readable
}

/** Connections to one provider, kept alive between documents. */
export interface ProviderConnection {
  readonly url: string
  get(path: string, headers?: Record<string, string>): Promise<ProviderAnswer>
  /** JSON. */
  post(path: string, body: Uint8Array): Promise<ProviderAnswer>
  close(): void
}

/**
 * Loaded when it is needed. Not by `import()`, which reads every export of a built-in module, and node:http's WebSocket is a
 * getter that loads all of Node's own undici (35 of 42 ms, measured).
 */
const loadHttp = () => process.getBuiltinModule('node:http')

/**
 * For documents: whatever a foreign provider's server makes of them, chunked bodies too. node:http follows no redirect.
 */
export async function connectProvider({ url, reach }: Place, limits: Patience): Promise<ProviderConnection> {
  const http = loadHttp()
  const { origin, pathname, host } = new URL(url)
  const agent = new http.Agent({ keepAlive: true })
  // Connecting elsewhere changes nothing about what is asked for (RFC 9110, 7.2: Host is the URL's).
  const elsewhere = reach === undefined ? {} : { hostname: reach }
  const at = (path: string) => `${origin}${pathname.replace(/\/$/, '')}${path}`
  return {
    url,
    get: (path, headers = {}) =>
      answerTo(http.get(at(path), { agent, headers: { host, ...headers }, ...elsewhere }), limits),
    post(path, body) {
      const headers = { host, 'content-type': 'application/json', 'content-length': body.length }
      const request = http.request(at(path), { agent, method: 'POST', headers, ...elsewhere })
      request.end(body)
      return answerTo(request, limits)
    },
    close: () => agent.destroy(),
  }
}

function answerTo(request: ClientRequest, limits: Patience): Promise<ProviderAnswer> {
  return new Promise((resolve, reject) => {
    const giveUp = (what: string, ms: number) => () => request.destroy(new Error(`${what} within ${ms / 1000} s`))
    let timer = setTimeout(giveUp('no connection', limits.connectMs), limits.connectMs)
    const connected = () => {
      clearTimeout(timer)
      timer = setTimeout(giveUp('no answer', limits.headersMs), limits.headersMs)
    }
    request.once('socket', (socket) => (socket.connecting ? socket.once('connect', connected) : connected()))
    request.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    request.once('response', (body) => {
      clearTimeout(timer)
      body.setTimeout(limits.stallMs, () => body.destroy(new Error(`no bytes for ${limits.stallMs / 1000} s`)))
      resolve({ statusCode: body.statusCode!, headers: body.headers, body })
    })
  })
}

/**
 * Reads a small document whole.
 * @throws PlasmError `http-status` | `body-too-long` | `transfer-broken`
 */
export function readDocument(connection: ProviderConnection, path: string, limit: number): Promise<Buffer> {
  return readAnswer(`${connection.url}${path}`, () => connection.get(path), limit)
}

/**
 * Posts a small document and reads the answer whole.
 * @throws PlasmError `http-status` | `body-too-long` | `transfer-broken`
 */
export function postDocument(
  connection: ProviderConnection,
  path: string,
  body: Uint8Array,
  limit: number,
): Promise<Buffer> {
  return readAnswer(`${connection.url}${path}`, () => connection.post(path, body), limit)
}

async function readAnswer(from: string, ask: () => Promise<ProviderAnswer>, limit: number): Promise<Buffer> {
  const response = await broken(from, ask)
  if (response.statusCode !== 200) {
    response.body.on('error', () => {}).destroy()
    throw statusError(from, response.statusCode)
  }
  if (Number(response.headers['content-length'] ?? 0) > limit) {
    response.body.on('error', () => {}).destroy()
    throw tooLong(from, limit)
  }
  const late = () => response.body.destroy(new Error(`no whole answer within ${DOCUMENT_WITHIN_MS / 1000} s`))
  const timer = setTimeout(late, DOCUMENT_WITHIN_MS)
  return broken(from, async () => {
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of response.body as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > limit) throw tooLong(from, limit)
      parts.push(part)
    }
    return Buffer.concat(parts, bytes)
  }).finally(() => clearTimeout(timer))
}

const NOBODY_LISTENS = 'nothing listens there: start a provider (`plasmd serve`), or look at the address and the port'

/** Runs a piece of network work; what the client or the kernel throws becomes `transfer-broken`, worth another try. */
export async function broken<T>(from: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof PlasmError) throw thrown
    const { message, code } = thrown as NodeJS.ErrnoException
    throw new PlasmError('transfer-broken', `${from}: ${message || code}`, {
      facts: { url: from, ...(typeof code === 'string' ? { errno: code } : {}) },
      ...(code === 'ECONNREFUSED' ? { hint: NOBODY_LISTENS } : {}),
      cause: thrown,
    })
  }
}

export function statusError(url: string, status: number): PlasmError {
  return new PlasmError('http-status', `${url} answered ${status}`, { facts: { url, status } })
}

export function tooLong(url: string, limit: number): PlasmError {
  return new PlasmError('body-too-long', `${url} sends more than the ${limit} bytes it should have`, {
    facts: { url, limit },
  })
}
