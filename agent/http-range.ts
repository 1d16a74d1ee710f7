import { PlasmError } from '../service/errors.ts'
import type { Place } from './candidate.ts'
import { broken, statusError, tooLong } from './http-body.ts'
import { type Patience, type StreamAnswer, streamHttp } from './http-stream.ts'

/** Longest pause that a busy provider may ask for, seconds. */
const RETRY_AFTER_MAX_SECONDS = 5

/** What arrives is checked here anyway: a provider need not read the file twice to send its digest first (RFC 9530, 4). */
const NO_DIGEST = { 'want-repr-digest': 'sha-256=0' }

/**
 * Reads a file of known size from a byte on, to its end.
 * @param size the whole file's length, bytes, as the verified manifest says
 * @param take gets the bytes from `from` on, in order, in a buffer that is used again
 * @throws PlasmError worth another try: `transfer-broken`, `body-too-short`, `provider-busy`; not worth one: `http-status`,
 * `wrong-length`, `body-too-long`; and whatever `take` throws
 */
export async function readFrom(
  { url, reach }: Place,
  { from, size }: { from: number; size: number },
  patience: Patience,
  take: (data: Buffer) => void,
  signal?: AbortSignal,
): Promise<void> {
  let start = 0
  let at = 0
  // Only the reading is the provider's: what `take` throws is not, and goes through as it is.
  let thrown: { readonly what: unknown } | undefined
  const onBody = (data: Buffer) => {
    if (at + data.length > size) throw tooLong(url, size - start)
    const known = Math.min(Math.max(0, from - at), data.length)
    at += data.length
    try {
      if (known < data.length) take(data.subarray(known))
    } catch (what) {
      thrown = { what }
      throw what
    }
  }
  const onHead = (answer: StreamAnswer) => {
    start = at = startOf(url, answer, { from, size })
  }
  const headers = from > 0 ? { range: `bytes=${from}-` } : NO_DIGEST
  const request = {
    url,
    reach,
    method: 'GET',
    headers,
    patience,
    onHead,
    onBody,
    ...(signal ? { signal } : {}),
  } as const
  await broken(url, () => streamHttp(request)).catch((error) => {
    throw thrown ? thrown.what : error
  })
  if (at === size) return
  throw new PlasmError('body-too-short', `${url} ended after ${at} of ${size} bytes`, {
    facts: { url, expected: size, found: at },
  })
}

/** @returns the offset at which the body begins: 0 for a 200, since a provider may ignore ranges (RFC 9110, 14.2) */
function startOf(
  url: string,
  { status, headers, length }: StreamAnswer,
  { from, size }: { from: number; size: number },
): number {
  if (status === 503) throw busy(url, Number(headers.get('retry-after') ?? 1))
  if (status !== 200 && !(status === 206 && from > 0)) throw statusError(url, status)
  const start = status === 206 ? from : 0
  if (status === 206) {
    const expected = `bytes ${from}-${size - 1}/${size}`
    const range = headers.get('content-range')
    if (range !== expected) throw wrongLength(url, expected, String(range))
  }
  if (length !== undefined && length !== size - start) throw wrongLength(url, `${size - start}`, String(length))
  return start
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
