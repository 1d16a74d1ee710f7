import type { Socket } from 'node:net'
import { lineSplitter } from './console.ts'

/** Ctrl-], as telnet has it. */
const LEAVE = 0x1d
/** After the end of what is typed by a pipe: a console that is silent for so long has answered it. */
const QUIET_MS = 1000
/** One that is never silent is left after so long. */
const MOST_AFTER_INPUT_MS = 10_000

export interface Terminal {
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
}

export interface Attaching {
  /** Ends it as Ctrl-] does. */
  readonly until?: AbortSignal
  /** A standard input that is no terminal is typed too, and ends it: where it is not, nothing of it is read. */
  readonly typesPipe?: boolean
}

/** `left` by a key or the signal; `input-ended` as a pipe does; `ended` is the console's own end. */
export type ConsoleEnd = 'left' | 'input-ended' | 'ended'

/**
 * Joins a terminal and a machine's console: raw, so that every key but Ctrl-] is the machine's, Ctrl-C too. Where standard
 * output is no terminal the console's lines are printed plainly.
 * @returns what ended it
 */
export function attachConsole(
  socket: Socket,
  { stdin, stdout }: Terminal,
  { until, typesPipe = false }: Attaching = {},
): Promise<ConsoleEnd> {
  return new Promise((resolve) => {
    const types = stdin.isTTY || typesPipe
    const split = lineSplitter()
    let quiet: NodeJS.Timeout | undefined
    let longest: NodeJS.Timeout | undefined
    let readerGone = false
    const print = (bytes: Uint8Array) => {
      if (stdout.isTTY) stdout.write(bytes)
      else for (const { text } of split(bytes, 0)) stdout.write(`${text}\n`)
    }
    /** A prompt has no end of line. */
    const printRest = () => {
      if (readerGone) return
      for (const { text } of split(Buffer.from('\n'), 0)) if (text !== '') stdout.write(`${text}\n`)
    }
    const finish = (how: ConsoleEnd) => {
      clearTimeout(quiet)
      clearTimeout(longest)
      stdin.off('data', onKeys).off('end', onInputEnd).off('error', onInputEnd)
      socket.off('data', onSaid).off('close', onGone)
      until?.removeEventListener('abort', leave)
      if (stdin.isTTY) stdin.setRawMode(false)
      if (types) stdin.pause()
      if (!stdout.isTTY) printRest()
      else if (stdin.isTTY) stdout.write('\r\n')
      socket.destroy()
      resolve(how)
    }
    const leave = () => finish('left')
    const onGone = () => finish('ended')
    // A reader that has gone, such as `head`, wants no more; it is told of each write.
    const onReaderGone = () => {
      readerGone = true
      leave()
    }
    const onKeys = (keys: Buffer) => {
      const at = keys.indexOf(LEAVE)
      if (at !== 0) socket.write(at < 0 ? keys : keys.subarray(0, at))
      if (at >= 0) leave()
    }
    const inputEnded = () => finish('input-ended')
    const onInputEnd = () => {
      quiet ??= setTimeout(inputEnded, QUIET_MS)
      longest ??= setTimeout(inputEnded, MOST_AFTER_INPUT_MS)
    }
    const onSaid = (bytes: Buffer) => {
      quiet?.refresh()
      print(bytes)
    }
    socket.on('data', onSaid)
    socket.once('close', onGone)
    stdout.on('error', onReaderGone)
    until?.addEventListener('abort', leave)
    if (types) {
      if (stdin.isTTY) stdin.setRawMode(true)
      // A directory, say, cannot be read: that is its end, too.
      stdin.on('data', onKeys).once('end', onInputEnd).once('error', onInputEnd)
      stdin.resume()
    }
    if (until?.aborted) return leave()
    socket.resume()
  })
}
