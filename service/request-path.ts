/** What a URL path asks for (INTEROP: provider HTTP API). */
export type Target =
  | { readonly kind: 'index' | 'health' | 'status' | 'default-manifest' }
  | { readonly kind: 'file'; readonly channel: string; readonly arch: string; readonly name: string }
  | { readonly kind: 'blob'; readonly sha256: string }

/**
 * Reads a request's path. Each part is decoded once, after splitting, so an encoded slash stays inside its part and fails
 * the name check later. @returns undefined for what no route has
 */
export function parseTarget(url: string): Target | undefined {
  const path = url.split(/[?#]/, 1)[0]!
  if (!path.startsWith('/')) return undefined
  const parts = path.slice(1).split('/').map(decode)
  if (!parts.every((part) => part !== undefined)) return undefined
  const [a, b, c] = parts
  if (parts.length === 1) {
    if (a === '') return { kind: 'index' }
    if (a === 'health' || a === 'status') return { kind: a }
    return a === 'manifest.json' ? { kind: 'default-manifest' } : undefined
  }
  if (parts.length !== 3) return undefined
  if (a === 'blobs') {
    const sha256 = /^([0-9a-f]{64})\.bin$/.exec(c!)?.[1]
    return sha256?.startsWith(b!) && b!.length === 2 ? { kind: 'blob', sha256 } : undefined
  }
  return { kind: 'file', channel: a!, arch: b!, name: c! }
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
