/** TXT strings as pairs (RFC 6763, 6.4): keys have no case, the first of a name counts, a lone key is empty. */
export function parseTxt(data: unknown): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  for (const item of Array.isArray(data) ? data : [data]) {
    const text = Buffer.isBuffer(item) ? item.toString('utf8') : String(item)
    const at = text.indexOf('=')
    const key = (at < 0 ? text : text.slice(0, at)).toLowerCase()
    if (key && !pairs.has(key)) pairs.set(key, at < 0 ? '' : text.slice(at + 1))
  }
  return pairs
}
