/** First and last byte, both inclusive, as in Content-Range. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** One range: first-last, first-, or -suffix (RFC 9110, 14.1.2). The unit has no case (14.1). */
const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i

/**
 * Reads a Range header. `whole` where it is absent or to be ignored: malformed, another unit, last before first, or more than
 * one range, which a server may decline (RFC 9110, 14.2). `unsatisfiable` asks for a 416.
 * @param size the file's length, bytes
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'whole' | 'unsatisfiable' {
  const match = header === undefined ? null : ONE_RANGE.exec(header)
  if (!match) return 'whole'
  const [, firstDigits = '', lastDigits = ''] = match
  // Digits beyond 2^53 lose precision, not their order: they still lie beyond any file's end.
  const last = lastDigits === '' ? Number.POSITIVE_INFINITY : Number(lastDigits)
  if (firstDigits === '') {
    if (lastDigits === '') return 'whole'
    return last === 0 || size === 0 ? 'unsatisfiable' : { first: Math.max(0, size - last), last: size - 1 }
  }
  const first = Number(firstDigits)
  if (last < first) return 'whole'
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) }
}
