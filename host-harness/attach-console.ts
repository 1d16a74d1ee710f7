import type { Socket } from 'node:net'
import { lineSplitter } from './console.ts'

/** Ctrl-], as telnet has it. */
const LEAVE = 0x1d

export interface Terminal {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
}

/**
 * Joins a terminal and a machine's console: raw, so that every key but Ctrl-] is the machine's, Ctrl-C too. Where standard
 * output is no terminal the console's lines are printed plainly; where standard input is none, nothing is typed.
 * @param until ends it as Ctrl-] does
 * @returns who ended it
 */
export function attachConsole(
  socket: Socket,
  { stdin, stdout }: Terminal,
  until?: AbortSignal,
): Promise<'left' | 'ended'> {
  return new Promise((resolve) => {
    const finish = (how: 'left' | 'ended') => {
      stdin.off('data', onKeys)
      until?.removeEventListener('abort', leave)
      if (stdin.isTTY) {
        stdin.setRawMode(false)
        stdin.pause()
        stdout.write('\r\n')
      }
      socket.destroy()
      resolve(how)
    }
    const leave = () => finish('left')
    const onKeys = (keys: Buffer) => {
      const at = keys.indexOf(LEAVE)
      if (at !== 0) socket.write(at < 0 ? keys : keys.subarray(0, at))
      if (at >= 0) leave()
    }
    const split = lineSplitter()
    socket.on('data', (bytes: Buffer) => {
      if (stdout.isTTY) stdout.write(bytes)
      else for (const { text } of split(bytes, 0)) stdout.write(`${text}\n`)
    })
    socket.once('close', () => finish('ended'))
    // A reader that has gone, such as `head`, wants no more.
    stdout.once('error', leave)
    until?.addEventListener('abort', leave)
    if (stdin.isTTY) {
      stdin.setRawMode(true)
      stdin.on('data', onKeys)
      stdin.resume()
    }
    if (until?.aborted) return leave()
    socket.resume()
  })
}
