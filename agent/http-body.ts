import type { Dispatcher } from 'undici'
import { PlasmError } from '../service/errors.ts'
import { openClient } from '../service/http-client.ts'

/** How long a provider may keep us waiting. */
export interface TransferLimits {
  readonly connectMs: number
  readonly headersMs: number
  /** Longest pause between two pieces of a body. */
  readonly stallMs: number
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

/** Connections to one provider, kept alive between artifacts. */
export interface ProviderConnection {
  readonly url: string
  get(path: string, headers?: Record<string, string>): Promise<Dispatcher.ResponseData>
  close(): Promise<void>
}

/** undici: ~290 MiB/s hashed and written, `fetch` ~180 (LIBRARIES). It follows no redirect unless told to. */
export async function connectProvider(
  url: string,
  limits: Pick<TransferLimits, 'connectMs' | 'headersMs' | 'stallMs'> = TRANSFER_LIMITS,
): Promise<ProviderConnection> {
  const { origin, pathname } = new URL(url)
  const client = await openClient(origin, {
    connect: { timeout: limits.connectMs },
    headersTimeout: limits.headersMs,
    bodyTimeout: limits.stallMs,
  })
  return {
    url,
    get: (path, headers = {}) =>
      client.request({ method: 'GET', path: `${pathname.replace(/\/$/, '')}${path}`, headers }),
    close: () => client.destroy(),
  }
}

/**
 * Reads a small document whole.
 * @throws PlasmError `http-status` | `body-too-long` | `transfer-broken`
 */
export async function readDocument(connection: ProviderConnection, path: string, limit: number): Promise<Buffer> {
  const from = `${connection.url}${path}`
  const response = await broken(from, () => connection.get(path))
  if (response.statusCode !== 200) {
    response.body.on('error', () => {}).destroy()
    throw statusError(from, response.statusCode)
  }
  return broken(from, async () => {
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of response.body as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > limit) throw tooLong(from, limit)
      parts.push(part)
    }
    return Buffer.concat(parts, bytes)
  })
}

/** Runs a piece of network work; what undici or the kernel throws becomes `transfer-broken`, worth another try. */
export async function broken<T>(from: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof PlasmError) throw thrown
    const { message, code } = thrown as NodeJS.ErrnoException
    throw new PlasmError('transfer-broken', `${from}: ${message || code}`, {
      facts: { url: from, ...(typeof code === 'string' ? { errno: code } : {}) },
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
