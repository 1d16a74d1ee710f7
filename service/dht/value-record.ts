import * as v from 'valibot'
import { type Arch, archNames, canonicalArch } from '../arch.ts'
import { MANIFEST_FILE } from '../manifest.ts'
import { parseStrictJson } from '../strict-json.ts'

/** More than any record has; what is longer is somebody's who means no record (libp2p-node.ts stores no longer ones either). */
export const VALUE_MAX_BYTES = 4096
/** Records live so long unless they are put again (INTEROP: discovery). */
export const RECORD_TTL_SECONDS = 3600

/** The part of the Rust record type that is read; whatever is missing is not held against it. */
const recordSchema = v.object({
  channel: v.optional(v.string()),
  arch: v.optional(v.string()),
  manifest_url: v.optional(v.string()),
  http_addr: v.optional(v.string()),
})

export interface RecordPlace {
  readonly channel: string
  readonly arch: Arch
}

/**
 * The value of a manifest record, as the Rust family's record type has it (INTEROP: discovery).
 * @param url base URL of the provider
 */
export function makeValueRecord(
  { channel, archName, url }: { readonly channel: string; readonly archName: string; readonly url: string },
  now = new Date(),
): Buffer {
  const record = {
    channel,
    arch: archName,
    manifest_url: `${url}/${channel}/${archName}/${MANIFEST_FILE}`,
    http_addr: new URL(url).host,
    manifest_version: 1,
    created_at: now.toISOString(),
    ttl_secs: RECORD_TTL_SECONDS,
  }
  return Buffer.from(JSON.stringify(record))
}

/** A base URL without a trailing slash; or what the value said and why that is none. Its host is not judged. */
export type ReadRecord = { readonly url: string } | { readonly said: string; readonly problem: string }

/** Reads a value in both ways: it is the manifest's URL, or JSON that holds it (INTEROP: discovery). Never throws. */
export function readValueRecord(value: Uint8Array, place: RecordPlace): ReadRecord {
  const said = shown(value)
  if (value.length > VALUE_MAX_BYTES) return { said, problem: `its record has ${value.length} bytes` }
  const text = Buffer.from(value).toString('latin1').trim()
  if (!text.startsWith('{')) return baseUrl(Buffer.from(value).toString('latin1'), said, place)
  let record: v.InferOutput<typeof recordSchema>
  try {
    record = v.parse(recordSchema, parseStrictJson(value, { maxBytes: VALUE_MAX_BYTES }))
  } catch (thrown) {
    return { said, problem: `its record is no manifest record: ${(thrown as Error).message}` }
  }
  const { channel = place.channel, arch = place.arch, manifest_url, http_addr } = record
  if (channel !== place.channel) return { said, problem: `its record is for channel ${channel}, not ${place.channel}` }
  if (canonicalArch(arch) !== place.arch) return { said, problem: `its record is for ${arch}, not ${place.arch}` }
  if (manifest_url !== undefined) return baseUrl(manifest_url, said, place)
  if (http_addr === undefined) return { said, problem: 'its record names no URL' }
  return baseUrl(http_addr.includes('://') ? http_addr : `http://${http_addr}`, said, place)
}

/** The URL without what the provider API puts behind its base (INTEROP: provider HTTP API). */
function baseUrl(text: string, said: string, { channel, arch }: RecordPlace): ReadRecord {
  // The URL parser drops line breaks and tabs without a word.
  if (/[^\x21-\x7e]/.test(text)) return { said, problem: 'its URL has a character that URLs do not have' }
  const url = URL.parse(text)
  if (url?.protocol !== 'http:') return { said, problem: 'its record has no http URL' }
  if (url.username || url.password || url.search || url.hash) {
    return { said, problem: 'its URL has more than host, port and path' }
  }
  const ends = [...archNames(arch).map((name) => `/${channel}/${name}/${MANIFEST_FILE}`), `/${MANIFEST_FILE}`]
  const end = ends.find((one) => url.pathname.endsWith(one)) ?? ''
  const path = url.pathname.slice(0, url.pathname.length - end.length).replace(/\/+$/, '')
  return { url: `${url.origin}${path}` }
}

/** What a stranger wrote, for a log that people read on a terminal. */
function shown(value: Uint8Array): string {
  const text = Buffer.from(value.subarray(0, 100)).toString('latin1')
  return text.replace(/[^\x20-\x7e]/g, '?') + (value.length > 100 ? '…' : '')
}
