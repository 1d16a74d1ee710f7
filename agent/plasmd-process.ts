import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLogFile } from './log-file.ts'
import { oomKills } from './oom-kills.ts'
import { endOrphan, forgetChild, rememberChild } from './plasmd-orphan.ts'
import { type Probe, portTaken, probePlasmd } from './plasmd-probe.ts'
import type { PlasmdView, ServiceOwner } from './service-owner.ts'
import {
  NOT_STARTED,
  SUPERVISION_LIMITS,
  type SupervisionEvent,
  type SupervisionLimits,
  supervise,
} from './supervise.ts'

/** While it starts, readiness waits for its answer; while it answers, a look now and then is enough. */
const LOOK_EVERY_MS = 150
const LOOK_RUNNING_EVERY_MS = 3000
const PROBE_TIMEOUT_MS = 2000

export interface PlasmdProcess {
  /** Program, and arguments before `serve`. */
  readonly command: readonly [string, ...string[]]
  /** Arguments of `serve`. */
  readonly args: readonly string[]
  readonly port: number
  readonly logFile: string
  readonly pidFile: string
  readonly limits: SupervisionLimits | undefined
}

/** What `lastExit` says when plasmd was not even started. */
export const portInUse = (port: number): string => `port ${port} is in use by another program`

/** plasmd as the agent's own child: does what `supervise` decides, and tells it what happens. */
export function ownPlasmd(spec: PlasmdProcess): ServiceOwner {
  const limits = spec.limits ?? SUPERVISION_LIMITS
  const lookRunningEvery = Math.min(LOOK_RUNNING_EVERY_MS, limits.hungAfter / 5)
  const probeTimeout = Math.min(PROBE_TIMEOUT_MS, limits.hungAfter / 5)
  const url = `http://127.0.0.1:${spec.port}`
  const listeners = new Set<() => void>()
  let state = NOT_STARTED
  let probe: Probe | undefined
  let kill: (signal: NodeJS.Signals) => void = () => {}
  // The count is the whole machine's: one that rises between two looks and plasmd's end is taken for plasmd's.
  let oomKillsSeen = 0

  const tell = (event: SupervisionEvent) => {
    const before = state
    const next = supervise(state, event, performance.now(), limits)
    state = next.state
    for (const action of next.actions) {
      if (action.do === 'spawn') void run()
      else kill(action.signal)
    }
    if (before.phase === state.phase && before.pid === state.pid) return
    if (state.phase !== 'running') probe = undefined
    for (const listener of listeners) listener()
  }

  /** One life of plasmd. */
  const run = async () => {
    try {
      await endOrphan(spec.pidFile)
      if (await portTaken(spec.port)) return tell({ type: 'exited', how: portInUse(spec.port) })
      oomKillsSeen = oomKills()
      const child = spawnPlasmd(spec, () => oomKills() > oomKillsSeen)
      kill = child.kill
      if (child.pid !== undefined) {
        rememberChild(spec.pidFile, child.pid)
        tell({ type: 'spawned', pid: child.pid })
      }
      const how = await child.ended
      forgetChild(spec.pidFile)
      tell({ type: 'exited', how })
    } catch (thrown) {
      tell({ type: 'exited', how: (thrown as Error).message })
    }
  }

  const lookWhileNeeded = async () => {
    while (state.phase !== 'stopped') {
      await look()
      await sleep(state.phase === 'running' && probe ? lookRunningEvery : LOOK_EVERY_MS, undefined, { ref: false })
    }
  }
  const look = async () => {
    const { pid, phase } = state
    if (phase === 'running') oomKillsSeen = oomKills()
    if (pid !== null && (phase === 'starting' || phase === 'running')) {
      const found = await probePlasmd(url, pid, { timeout: probeTimeout, counters: phase === 'running' })
      if (pid !== state.pid) return
      probe = found.answered ? found : undefined
      tell({ type: 'probed', answered: found.answered, written: found.written })
    }
    tell({ type: 'tick' })
  }

  return {
    managedBy: 'agent',
    start() {
      if (state.phase !== 'stopped') return
      tell({ type: 'start' })
      void lookWhileNeeded()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop: () =>
      new Promise((stopped) => {
        const whenStopped = () => state.phase === 'stopped' && stopped()
        listeners.add(whenStopped)
        tell({ type: 'stop' })
        whenStopped()
      }),
    view(): PlasmdView {
      const { phase, pid, startedAt, wakeAt, restarts, lastExit } = state
      return {
        state: phase === 'stopping' ? 'stopped' : phase,
        pid,
        startedAt: startedAt === null ? null : timeOf(startedAt),
        nextStartAt: phase === 'backoff' && wakeAt !== null ? timeOf(wakeAt) : null,
        restarts,
        lastExit,
        bytesServed: probe?.bytesServed ?? null,
        requests: probe?.requests ?? null,
      }
    },
  }
}

/** RFC 3339. @param at milliseconds of `performance.now()` */
const timeOf = (at: number) => new Date(performance.timeOrigin + at).toISOString()

interface Child {
  readonly pid: number | undefined
  kill(signal: NodeJS.Signals): void
  /** How it ended, in words; never rejects. */
  readonly ended: Promise<string>
}

function spawnPlasmd(
  { command: [program, ...before], args, logFile }: PlasmdProcess,
  memoryRanOut: () => boolean,
): Child {
  const log = openLogFile(logFile)
  const child = spawn(program, [...before, 'serve', ...args], {
    // The environment is input too (DESIGN decision 3).
    env: { PATH: process.env.PATH, HOME: '/', LANG: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const output of [child.stdout, child.stderr]) output.on('data', (text) => log.write(String(text)))
  // An agent that ends leaves no plasmd behind; of one that is killed, `endOrphan` finds it.
  const endWithUs = () => child.kill('SIGTERM')
  process.once('exit', endWithUs)
  let killedByUs = false
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(`it did not start: ${message}`))
    child.once('close', (code, signal) => {
      const outOfMemory = signal === 'SIGKILL' && !killedByUs && memoryRanOut()
      resolve(signal ? `killed by ${signal}${outOfMemory ? ' (out of memory)' : ''}` : `exit code ${code}`)
    })
  })
  return {
    pid: child.pid,
    kill(signal) {
      killedByUs = true
      child.kill(signal)
    },
    ended: ended.finally(() => process.off('exit', endWithUs)),
  }
}
