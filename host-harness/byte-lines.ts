const NEWLINE = 0x0a

/**
 * Cuts a byte stream into lines, as latin1.
 * @param mostBytes a longer line is left out, so that none grows without bound
 */
export function byteLines(mostBytes: number): (chunk: Buffer) => string[] {
  let parts: Buffer[] = []
  let bytes = 0
  let tooLong = false
  const add = (part: Buffer) => {
    bytes += part.length
    if (bytes > mostBytes) {
      tooLong = true
      parts = []
      bytes = 0
    }
    if (!tooLong) parts.push(part)
  }
  return (chunk) => {
    const lines: string[] = []
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, at))
      if (!tooLong) lines.push(Buffer.concat(parts).toString('latin1'))
      ;[parts, bytes, tooLong] = [[], 0, false]
      from = at + 1
    }
    add(chunk.subarray(from))
    return lines
  }
}
