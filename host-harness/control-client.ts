import { once } from 'node:events'
import { open, readdir, stat } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { PlasmError } from '../service/errors.ts'
import { readLine } from './control-line.ts'
import {
  CONTROL_DIRECTORY,
  CONTROL_SOCKET,
  type ControlAnswer,
  type ControlRequest,
  parseAnswer,
} from './control-protocol.ts'
import { socketPath } from './control-server.ts'
import { RUNS } from './run-dir.ts'
import { runEnded } from './run-ended.ts'

export interface Control {
  /** The run's directory. */
  readonly runDir: string
  readonly socket: Socket
}

/**
 * Connects to a run that is up.
 * @param run its id or the beginning of it, or the path of its directory (with a slash); the newest that is up when absent
 * @throws PlasmError `no-run`
 */
export async function connectToRun(run: string | undefined, runs: string = RUNS): Promise<Control> {
  const candidates = run?.includes('/') ? [resolve(run)] : await newestFirst(runs, run ?? '')
  for (const runDir of candidates) {
    const socket = await connect(runDir)
    if (socket) return { runDir, socket }
  }
  const which = run === undefined ? 'no run is up' : `no run ${run} is up`
  throw new PlasmError('no-run', which, {
    facts: { step: 'control' },
    hint: hintOf(await runsUp(runs)),
  })
}

const hintOf = (up: readonly string[]) =>
  up.length > 0
    ? `--run takes one of those that are up, or the beginning of it: ${up.map((runDir) => basename(runDir)).join(', ')}`
    : 'start one: npm run harness -- boot, or npm run chain -- --keep; --run takes the name of its directory in build/runs'

/** The directories of the runs that are up and may be connected to, newest first. */
export async function runsUp(runs: string = RUNS): Promise<readonly string[]> {
  const up = (await newestFirst(runs, '')).map(async (runDir) => {
    const socket = await connect(runDir)
    socket?.destroy()
    return socket ? [runDir] : []
  })
  return (await Promise.all(up)).flat()
}

/**
 * Asks a run for something; the socket is left where the answer ends.
 * @param expected the key of the answer that is hoped for
 * @param started told when the machine is given a command; before that it is waited for
 * @throws PlasmError with the code that the run answered | `control-invalid` | `run-ended`
 */
export async function ask<Key extends 'executed' | 'attached'>(
  { runDir, socket }: Control,
  request: ControlRequest,
  expected: Key,
  started: () => void = () => {},
): Promise<Extract<ControlAnswer, Record<Key, unknown>>> {
  socket.write(`${JSON.stringify(request)}\n`)
  const next = async () => {
    const line = await readLine(socket)
    if (line === undefined) throw runEnded(runDir)
    return parseAnswer(line)
  }
  let answer = await next()
  if ('started' in answer) {
    started()
    answer = await next()
  }
  if (expected in answer) return answer as Extract<ControlAnswer, Record<Key, unknown>>
  if (!('error' in answer)) throw new PlasmError('control-invalid', 'the run answered another question')
  const { code, message, hint } = answer.error
  throw new PlasmError(code, message, hint === undefined ? {} : { hint })
}

async function newestFirst(runs: string, prefix: string): Promise<readonly string[]> {
  const names = (await readdir(runs).catch(() => [])).filter((name) => name.startsWith(prefix))
  const found = names.map(async (name) => {
    const runDir = join(runs, name)
    const since = await stat(join(runDir, CONTROL_DIRECTORY, CONTROL_SOCKET)).catch(() => undefined)
    return since ? [{ runDir, at: since.mtimeMs }] : []
  })
  return (await Promise.all(found))
    .flat()
    .sort((a, b) => b.at - a.at)
    .map(({ runDir }) => runDir)
}

/** Undefined when nobody listens: the run has ended, however it did. */
async function connect(runDir: string): Promise<Socket | undefined> {
  const directory = await open(join(runDir, CONTROL_DIRECTORY)).catch(() => undefined)
  if (!directory) return undefined
  const socket = createConnection({ path: socketPath(directory), allowHalfOpen: false })
  try {
    await once(socket, 'connect')
    socket.on('error', () => {})
    return socket
  } catch {
    return undefined
  } finally {
    await directory.close()
  }
}
