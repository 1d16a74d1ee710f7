import { MANIFEST_MAX_BYTES } from './manifest-limits.ts'
import { type JsonValue, parseStrictJson } from './strict-json.ts'

const UNSIGNED_END = Buffer.from(',"signatures":[]}')

/**
 * The plain manifest of a signed one, for clients that know no envelopes (INTEROP): the payload, and `"signatures":[]`, which
 * old clients look for.
 * @param payload compact JSON of a manifest, as parsePayload takes it
 */
export function derivedManifest(payload: Uint8Array): Buffer {
  return Buffer.concat([payload.subarray(0, payload.lastIndexOf('}'.charCodeAt(0))), UNSIGNED_END])
}

/** The payload that a plain manifest becomes when it is signed: without `signatures` and `provider`, compact. */
export function payloadOf(plain: Uint8Array): Buffer {
  const document = parseStrictJson(plain, { maxBytes: MANIFEST_MAX_BYTES }) as { [name: string]: JsonValue }
  const { signatures: _, provider: __, ...payload } = document
  return Buffer.from(JSON.stringify(payload))
}
