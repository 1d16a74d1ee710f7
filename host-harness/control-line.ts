import type { Socket } from 'node:net'

const NEWLINE = 0x0a
/** Above an answer with the longest output that a machine may send, as base64 of base64's bytes. */
const MOST_BYTES = 256 * 1024 * 1024

/**
 * Reads one line from a socket and leaves it paused, with what came behind the line unread.
 * @returns undefined when the connection ends before it
 */
export function readLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let bytes = 0
    const done = (line: string | undefined) => {
      socket.off('data', onData)
      for (const end of ['end', 'error', 'close']) socket.off(end, onEnd)
      resolve(line)
    }
    const onEnd = () => done(undefined)
    const onData = (chunk: Buffer) => {
      const at = chunk.indexOf(NEWLINE)
      parts.push(at < 0 ? chunk : chunk.subarray(0, at))
      bytes += chunk.length
      if (at < 0) return bytes > MOST_BYTES ? done(undefined) : undefined
      socket.pause()
      if (at + 1 < chunk.length) socket.unshift(chunk.subarray(at + 1))
      done(Buffer.concat(parts).toString('utf8'))
    }
    if (socket.destroyed) return resolve(undefined)
    socket.on('data', onData)
    for (const end of ['end', 'error', 'close']) socket.on(end, onEnd)
    // It may be the second line, and a socket that was paused stays so.
    socket.resume()
  })
}
