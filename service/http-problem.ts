import type { ServerResponse } from 'node:http'
import { asPlasmError, PlasmError } from './errors.ts'

/** Error codes that a request can end with, and their status (RFC 9110, 15.5 and 15.6). */
const STATUS: Readonly<Record<string, number>> = {
  'bad-request': 400,
  'request-forged': 403,
  'loopback-only': 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'nothing-sent': 409,
  'range-not-satisfiable': 416,
  busy: 503,
}

/** Seconds after which a busy provider is worth another try: a boot set takes about that long on a fast link. */
const RETRY_AFTER_SECONDS = 1

export const notFound = () => new PlasmError('not-found', 'nothing is served at this path')

/** The status an error becomes; what is nobody's mistake but ours is 500. */
export function statusOf(error: PlasmError): number {
  return STATUS[error.code] ?? 500
}

/** Ends a response with JSON. `Content-Length` is the body's for HEAD too (RFC 9110, 8.6). */
export function sendJson(response: ServerResponse, status: number, body: object | Uint8Array): number {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body))
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.byteLength })
  response.end(bytes)
  return response.req.method === 'HEAD' ? 0 : bytes.byteLength
}

/** Answers with an error as `{"error":code,"message"}`, telling nothing about this machine; too late, cuts the connection. */
export function sendProblem(response: ServerResponse, thrown: unknown): void {
  if (response.headersSent) return void response.destroy()
  const error = asPlasmError(thrown)
  const status = statusOf(error)
  for (const header of response.getHeaderNames()) response.removeHeader(header)
  if (status === 405) response.setHeader('allow', String(error.facts.allow ?? 'GET, HEAD'))
  if (status === 503) response.setHeader('retry-after', RETRY_AFTER_SECONDS)
  if (status === 416) response.setHeader('content-range', `bytes */${error.facts.size}`)
  // What is left of a request's body is not read: the connection cannot be used again.
  if (status === 405 || status === 400) response.setHeader('connection', 'close')
  const known = status !== 500
  sendJson(response, status, {
    error: known ? error.code : 'internal',
    message: known ? error.message : 'the provider failed to answer; its log says why',
  })
}
