import type { ServerResponse } from 'node:http'
import type { OpenFile } from './digest-cache.ts'

const BUFFER_BYTES = 1024 * 1024

/**
 * Writes bytes first..last of a file as a response's body: two buffers, one being read while the other is on its way, so
 * memory stays flat whatever the size. @returns whether all of it went out; false when the client hung up or the file shrank
 */
export async function sendBytes(
  response: ServerResponse,
  file: OpenFile,
  first: number,
  last: number,
  onBytes: (bytes: number) => void,
): Promise<boolean> {
  const closed = new Promise<false>((resolve) => response.once('close', () => resolve(false)))
  const buffers = [Buffer.allocUnsafe(BUFFER_BYTES), Buffer.allocUnsafe(BUFFER_BYTES)] as const
  let written: Promise<boolean> = Promise.resolve(true)
  let at = first
  for (let turn = 0; at <= last; turn += 1) {
    const buffer = buffers[turn % 2]!
    const { bytesRead } = await file.handle.read(buffer, 0, Math.min(BUFFER_BYTES, last - at + 1), at)
    if (bytesRead === 0) {
      response.destroy()
      return false
    }
    // The other buffer must be out before this one's turn comes again.
    if (!(await written)) return false
    written = Promise.race([writeOut(response, buffer.subarray(0, bytesRead)), closed])
    at += bytesRead
    onBytes(bytesRead)
  }
  if (!(await written)) return false
  response.end()
  return true
}

function writeOut(response: ServerResponse, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve(false)
    else response.write(bytes, (error) => resolve(!error))
  })
}
