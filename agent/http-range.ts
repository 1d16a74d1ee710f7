import type { Readable } from 'node:stream'
import { PlasmError } from '../service/errors.ts'
import { broken, type ProviderAnswer, type ProviderConnection, statusError, tooLong } from './http-body.ts'

/** Longest pause that a busy provider may ask for, seconds. */
const RETRY_AFTER_MAX_SECONDS = 5

/** What arrives is checked here anyway: a provider need not read the file twice to send its digest first (RFC 9530, 4). */
const NO_DIGEST = { 'want-repr-digest': 'sha-256=0' }

/**
 * Reads a file of known size from a byte on, to its end.
 * @param size the whole file's length, bytes, as the verified manifest says
 * @param take gets the bytes from `from` on, in order
 * @throws PlasmError worth another try: `transfer-broken`, `body-too-short`, `provider-busy`; not worth one: `http-status`,
 * `wrong-length`, `body-too-long`; and whatever `take` throws
 */
export async function readFrom(
  connection: ProviderConnection,
  path: string,
  { from, size }: { from: number; size: number },
  take: (data: Buffer) => void,
): Promise<void> {
  const url = `${connection.url}${path}`
  const response = await broken(url, () => connection.get(path, from > 0 ? { range: `bytes=${from}-` } : NO_DIGEST))
  // A body that is left unread ends with an error of its own, which is nobody's concern.
  response.body.on('error', () => {})
  try {
    const start = checkHead(url, response, { from, size })
    await readBody(url, response.body, { start, from, size }, take)
  } finally {
    response.body.destroy()
  }
}

/** @returns the offset at which the body begins: 0 for a 200, since a provider may ignore ranges (RFC 9110, 14.2) */
function checkHead(url: string, response: ProviderAnswer, { from, size }: { from: number; size: number }): number {
  const { statusCode: status, headers } = response
  if (status === 503) throw busy(url, Number(headers['retry-after'] ?? 1))
  if (status !== 200 && !(status === 206 && from > 0)) throw statusError(url, status)
  const start = status === 206 ? from : 0
  if (status === 206) {
    const expected = `bytes ${from}-${size - 1}/${size}`
    if (headers['content-range'] !== expected) throw wrongLength(url, expected, String(headers['content-range']))
  }
  const length = headers['content-length']
  if (length !== undefined && Number(length) !== size - start) throw wrongLength(url, `${size - start}`, String(length))
  return start
}

async function readBody(
  url: string,
  body: Readable,
  { start, from, size }: { start: number; from: number; size: number },
  take: (data: Buffer) => void,
): Promise<void> {
  let at = start
  const onPiece = (data: Buffer) => {
    if (at + data.length > size) throw tooLong(url, size - start)
    const known = Math.min(Math.max(0, from - at), data.length)
    if (known < data.length) take(known === 0 ? data : data.subarray(known))
    at += data.length
  }
  await readPieces(url, body, onPiece)
  if (at === size) return
  throw new PlasmError('body-too-short', `${url} ended after ${at} of ${size} bytes`, {
    facts: { url, expected: size, found: at },
  })
}

/**
 * By events rather than by an iterator, whose promise for each 64 KiB is felt in an emulated guest. Only the reading is the
 * provider's: what `onPiece` throws is not, and goes through as it is.
 */
function readPieces(url: string, body: Readable, onPiece: (data: Buffer) => void): Promise<void> {
  let thrown: { readonly what: unknown } | undefined
  const ended = new Promise<void>((resolve, reject) => {
    body.on('data', (data: Buffer) => {
      if (thrown) return
      try {
        onPiece(data)
      } catch (what) {
        thrown = { what }
        reject(what)
      }
    })
    body.once('end', resolve)
    body.once('error', reject)
    body.once('close', () => reject(new Error('the connection was closed')))
  })
  return broken(url, () => ended).catch((error: unknown) => {
    throw thrown ? thrown.what : error
  })
}

function busy(url: string, retryAfter: number): PlasmError {
  const seconds = retryAfter >= 0 && retryAfter <= RETRY_AFTER_MAX_SECONDS ? retryAfter : RETRY_AFTER_MAX_SECONDS
  return new PlasmError('provider-busy', `${url} has as many transfers as it takes`, {
    facts: { url, retryAfterSeconds: seconds },
  })
}

function wrongLength(url: string, expected: string, found: string): PlasmError {
  return new PlasmError('wrong-length', `${url} announces ${found} where ${expected} was expected`, {
    facts: { url, expected, found },
  })
}
