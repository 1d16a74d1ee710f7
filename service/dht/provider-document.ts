import * as v from 'valibot'
import type { ServedSet } from '../status.ts'
import { parseStrictJson } from '../strict-json.ts'

/** A longer answer is cut off. */
export const DOCUMENT_MAX_BYTES = 16 * 1024
const MAX_URLS = 16
/** As in advertisements: a short digest, to tell sets apart and for nothing else. */
const SET_DIGITS = 12

const short = v.pipe(v.string(), v.maxLength(256))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** Keys that are not known are left alone; all that is missing is not known. */
const documentSchema = v.object({
  urls: v.pipe(
    v.array(v.pipe(short, v.regex(/^[\x21-\x7e]+$/, 'has a character that URLs do not have'))),
    v.maxLength(MAX_URLS),
  ),
  channel: short,
  arch: short,
  machine: v.nullish(short),
  version: v.nullish(short),
  sequence: v.nullish(count),
  generation: v.nullish(count),
  load: v.nullish(count),
  set: v.nullish(short),
  peerId: v.nullish(short),
})

/**
 * What a provider says of one boot set when it is asked by `/plasm/provider/1.0.0`. Claims: what is booted is decided by verified
 * manifests (DESIGN decision 2).
 */
export type ProviderDocument = v.InferOutput<typeof documentSchema>

/** @throws PlasmError `json-invalid`; valibot's error */
export function parseProviderDocument(bytes: Uint8Array): ProviderDocument {
  return v.parse(documentSchema, parseStrictJson(bytes, { maxBytes: DOCUMENT_MAX_BYTES }))
}

/** @param urls base URLs, the one to try first in front; none where nothing is served at the moment */
export function providerDocument(
  set: ServedSet,
  by: {
    readonly urls: readonly string[]
    readonly machine: string | null
    readonly generation: number
    readonly peerId: string
  },
): ProviderDocument {
  const { channel, arch, version, sequence, manifest_digest } = set
  const digest = manifest_digest?.replace(/^sha256:/, '').slice(0, SET_DIGITS) ?? null
  return { ...by, urls: by.urls.slice(0, MAX_URLS), channel, arch, version, sequence, set: digest }
}
