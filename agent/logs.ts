import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlasmError } from '../service/errors.ts'
import { logDirectory } from './log-directory.ts'

/** Whose log: both write to a file of their own, since the console of a machine may be seen by nobody. */
export type LogName = 'agent' | 'plasmd'

export interface LogsRequest {
  readonly name: LogName
  /** How many of the last lines. */
  readonly lines: number
  /** Go on printing what is added, until the signal. */
  readonly follow?: AbortSignal
  readonly runDirectory?: string
  readonly print: (text: string) => void
}

const LOOK_EVERY_MS = 300

/**
 * `plasm-agent logs`: the last lines of a log, across the one rotation that log-file.ts keeps.
 * @throws PlasmError `log-missing` (facts: `file`)
 */
export async function logs({ name, lines, follow, runDirectory = logDirectory(), print }: LogsRequest): Promise<void> {
  const file = join(runDirectory, `${name}.log`)
  const current = openLog(file)
  try {
    let position = fstatSync(current.fd).size
    const text = readFrom(current.fd, 0, position)
    const old = linesIn(text).length < lines ? (readIfThere(`${file}.1`) ?? '') : ''
    print(lastLines(old + text, lines))
    while (follow && !follow.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: follow }).catch(() => {})
      position = printNew(current.fd, position, print)
      if (inodeOf(file) === current.inode) continue
      const next = tryOpen(file)
      if (!next) continue
      // Rotated: what the old file got last, then the new one from its beginning.
      printNew(current.fd, position, print)
      closeSync(current.fd)
      Object.assign(current, next)
      position = printNew(current.fd, 0, print)
    }
  } finally {
    closeSync(current.fd)
  }
}

interface OpenLog {
  fd: number
  inode: number
}

function openLog(file: string): OpenLog {
  const found = tryOpen(file)
  if (found) return found
  throw new PlasmError('log-missing', `there is no ${file} that can be read`, {
    facts: { file },
    hint: 'logs are kept in the serve stage; in the fetch stage everything is on the console',
  })
}

function tryOpen(file: string): OpenLog | undefined {
  try {
    const fd = openSync(file, 'r')
    return { fd, inode: fstatSync(fd).ino }
  } catch {
    return undefined
  }
}

const inodeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.ino

function printNew(fd: number, position: number, print: (text: string) => void): number {
  const { size } = fstatSync(fd)
  // A log that cap-log.ts has cut begins anew.
  const from = size < position ? 0 : position
  if (size > from) print(readFrom(fd, from, size))
  return size
}

function readFrom(fd: number, start: number, end: number): string {
  const buffer = Buffer.alloc(end - start)
  return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, start))
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const linesIn = (text: string): readonly string[] => text.split('\n').slice(0, text.endsWith('\n') ? -1 : undefined)

function lastLines(text: string, count: number): string {
  const last = count === 0 ? [] : linesIn(text).slice(-count)
  return last.map((line) => `${line}\n`).join('')
}
