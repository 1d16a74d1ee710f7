import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { STATUS_FILE, type Status } from './status-file.ts'
import { statusScreen } from './status-view.ts'

/** LSB Core, "Init Script Actions": the exit codes of `status`. */
export const STATUS_EXIT = { ready: 0, notReady: 1, notRunning: 3, unknown: 4 } as const

/** `--watch` looks so often; the agent writes at every change. */
const LOOK_EVERY_MS = 500
const CLEAR_SCREEN = '\x1b[H\x1b[2J'
/** Every image has it: trust policy and release (images/trust-segment.ts). */
const IMAGE_DIRECTORY = '/etc/plasm'
const NOT_YET =
  'it is there from the serve stage on: in the fetch stage, ask plasm-agent why; else plasm-agent logs, or doctor'
const ENDED = 'init starts it again; plasm-agent logs says why it ended'
const LOOK_INSIDE = 'to look inside one of the harness: npm run harness -- exec vm1 -- plasm-agent status'

export interface StatusOptions {
  readonly json: boolean
  readonly watch: boolean
}

export type Found =
  | { readonly state: 'read'; readonly status: Status }
  | { readonly state: 'not-running'; readonly why: string; readonly hint: string }
  | { readonly state: 'unknown'; readonly why: string; readonly hint?: undefined }

/**
 * `plasm-agent status`. Imports next to nothing: in an emulated guest every module costs.
 * @returns LSB's exit code: 0 ready, 1 not ready, 3 not running, 4 unknown
 */
export async function status(options: StatusOptions, file: string = STATUS_FILE): Promise<number> {
  if (options.watch) return watch(options, file)
  const found = findStatus(file)
  process.stdout.write(textOf(found, options))
  return exitCodeOf(found)
}

async function watch(options: StatusOptions, file: string): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const terminal = process.stdout.isTTY
  let shown = ''
  while (!stop.signal.aborted) {
    const text = textOf(findStatus(file), options)
    // Ages move on without the file: on a terminal they are worth a redraw, in a pipe they are not.
    if (text !== shown) process.stdout.write(terminal && !options.json ? CLEAR_SCREEN + text : text)
    shown = text
    await sleep(LOOK_EVERY_MS, undefined, { signal: stop.signal }).catch(() => {})
  }
  return exitCodeOf(findStatus(file))
}

function textOf(found: Found, { json }: StatusOptions): string {
  if (found.state === 'read') {
    return json ? `${JSON.stringify(found.status)}\n` : statusScreen(found.status, look())
  }
  const { state, why, hint } = found
  if (json) return `${JSON.stringify({ state, why, hint })}\n`
  return `plasm-agent: ${why}\n${hint === undefined ? '' : `  ${hint}\n`}`
}

const look = () => ({ colour: process.stdout.isTTY === true && !process.env.NO_COLOR, now: Date.now() })

/**
 * Reads the status file and looks whether its writer lives.
 * @param imageDirectory what is there in every image; where it is not, nor anything beside the file, this is no machine of ours
 */
export function findStatus(file: string, imageDirectory: string = IMAGE_DIRECTORY): Found {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') {
      const why = `not running: there is no ${file}`
      if (isPlasmMachine(file, imageDirectory)) return { state: 'not-running', why, hint: NOT_YET }
      return { state: 'not-running', why: `${why}; this is no machine that Phase Boot booted`, hint: LOOK_INSIDE }
    }
    return { state: 'unknown', why: `status unknown: ${message}` }
  }
  const status = parse(text)
  if (!status) return { state: 'unknown', why: `status unknown: ${file} is not a status file of this program` }
  const { pid } = status.agent
  return lives(pid)
    ? { state: 'read', status }
    : { state: 'not-running', why: `not running: pid ${pid} is gone; ${lastWords(status)}`, hint: ENDED }
}

/** Whether an image of ours was booted here, or an agent has run; a host that only has the program is none. */
export const isPlasmMachine = (file: string = STATUS_FILE, imageDirectory: string = IMAGE_DIRECTORY): boolean =>
  holdsAnything(imageDirectory) || holdsAnything(dirname(file))

/** One that may not be read counts as there: then nothing can be said against it. */
function holdsAnything(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code!)
  }
}

const lastWords = ({ updatedAt, lastError, notReadyBecause }: Status) =>
  `at ${updatedAt} it was ${notReadyBecause === null ? 'ready' : `not ready: ${notReadyBecause}`}${lastError ? ` [${lastError.code}]` : ''}`

function parse(text: string): Status | undefined {
  try {
    const status = JSON.parse(text) as Partial<Status> | null
    const ours = status?.version === 1 && typeof status.agent?.pid === 'number' && typeof status.ready === 'boolean'
    return ours ? (status as Status) : undefined
  } catch {
    return undefined
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

export function exitCodeOf(found: Found): number {
  switch (found.state) {
    case 'read':
      return found.status.ready ? STATUS_EXIT.ready : STATUS_EXIT.notReady
    case 'not-running':
      return STATUS_EXIT.notRunning
    case 'unknown':
      return STATUS_EXIT.unknown
  }
}
