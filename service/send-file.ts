import type { FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { ByteRange } from './byte-range.ts'
import type { BufferPair } from './transfers.ts'

/**
 * Sends a range of an open file as a response's body: the next piece is read while the last one is on its way, and a buffer
 * is filled again only after its write callback, so two buffers are all the memory a transfer takes.
 * @param sent is told of bytes that the kernel has taken
 * @returns whether the whole range was sent; false when the client hung up or the file ended early (then the connection is cut,
 * since a body shorter than its Content-Length is the only way left to say so: RFC 9112, 8)
 */
export async function sendRange(
  response: ServerResponse,
  handle: FileHandle,
  range: ByteRange,
  buffers: BufferPair,
  sent: (bytes: number) => void,
): Promise<boolean> {
  const write = createWriter(response)
  let written: Promise<boolean> = Promise.resolve(true)
  let turn = 0
  for (let at = range.first; at <= range.last; ) {
    const buffer = buffers[turn % 2]!
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, range.last + 1 - at), at)
    const alive = await written
    if (!alive || bytesRead === 0) {
      response.destroy()
      return false
    }
    written = write(buffer.subarray(0, bytesRead), sent)
    at += bytesRead
    turn += 1
  }
  if (!(await written)) return false
  response.end()
  return true
}

/** Writes resolve to whether the bytes were taken; one listener for the response's end serves all of them. */
function createWriter(response: ServerResponse): (piece: Buffer, sent: (bytes: number) => void) => Promise<boolean> {
  let giveUp = () => {}
  response.once('close', () => giveUp())
  return (piece, sent) =>
    new Promise((resolve) => {
      giveUp = () => resolve(false)
      if (response.destroyed) return giveUp()
      response.write(piece, (error) => {
        if (!error) sent(piece.length)
        resolve(!error)
      })
    })
}
