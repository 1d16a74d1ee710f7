/** What a Range header asks of a file: the whole of it, bytes first..last (both included), or nothing that it has. */
export type ByteRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' }

const WHOLE: ByteRange = { kind: 'whole' }

/**
 * One byte range (RFC 9110, section 14). Several ranges, another unit and a malformed header count as no header at all,
 * which the RFC allows and a client must expect.
 */
export function parseRange(header: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match) return WHOLE
  const [, from, to] = match
  if (from === '' && to === '') return WHOLE
  if (from === '') return part(Math.max(0, size - Number(to)), size - 1, size)
  if (to !== '' && Number(to) < Number(from)) return WHOLE
  return part(Number(from), to === '' ? size - 1 : Math.min(Number(to), size - 1), size)
}

function part(first: number, last: number, size: number): ByteRange {
  return first >= size || last < first ? { kind: 'unsatisfiable' } : { kind: 'part', first, last }
}
