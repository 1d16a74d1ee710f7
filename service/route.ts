import { type Arch, canonicalArch } from './arch.ts'
import { isServable } from './artifact-names.ts'
import { ENVELOPE_FILE } from './dsse.ts'
import { CHANNEL, MANIFEST_FILE } from './manifest.ts'

/** What a request asks for (INTEROP: provider HTTP API). */
export type Route =
  | { readonly kind: 'about' | 'health' | 'status' | 'receipts' | 'clients' }
  | { readonly kind: 'default-manifest'; readonly name: string }
  | { readonly kind: 'file'; readonly channel: string; readonly arch: Arch; readonly name: string }
  | { readonly kind: 'blob'; readonly digest: string }

const BLOB = /^([0-9a-f]{2})([0-9a-f]{62})\.bin$/
const SINGLE = new Map<string, Route>([
  ['', { kind: 'about' }],
  ['health', { kind: 'health' }],
  ['status', { kind: 'status' }],
  ['manifest.json', { kind: 'default-manifest', name: MANIFEST_FILE }],
  ['manifest.dsse.json', { kind: 'default-manifest', name: ENVELOPE_FILE }],
  ['receipts', { kind: 'receipts' }],
  ['clients', { kind: 'clients' }],
])

/**
 * Finds the route of a request target. The path is split before it is decoded, and decoded once, so that an encoded
 * separator never becomes one (RFC 3986, 2.4); dots are not resolved but refused. Pure.
 * @param target origin form, or absolute form, which a server must take too (RFC 9112, 3.2.2)
 * @returns undefined where nothing can be served; `malformed` where the percent-encoding is broken
 */
export function routeOf(target: string): Route | undefined | 'malformed' {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  if (!path.startsWith('/')) return path === '' && target !== '' ? SINGLE.get('') : undefined
  let parts: string[]
  try {
    parts = path.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return 'malformed'
  }
  if (parts.length === 1) return SINGLE.get(parts[0]!)
  if (parts.length !== 3) return undefined
  const [first, second, name] = parts as [string, string, string]
  if (first === 'blobs') return blob(second, name)
  const arch = canonicalArch(second)
  if (!arch || !CHANNEL.test(first) || !isServable(name)) return undefined
  return { kind: 'file', channel: first, arch, name }
}

function blob(prefix: string, name: string): Route | undefined {
  const match = BLOB.exec(name)
  return match?.[1] === prefix ? { kind: 'blob', digest: `sha256:${match[1]}${match[2]}` } : undefined
}
