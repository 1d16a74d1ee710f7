import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { capLog } from './cap-log.ts'
import { oomKills } from './oom-kills.ts'
import { NOT_STARTED_BY_OPENRC, openrcPhase, readService } from './openrc-service.ts'
import { type Probe, portTaken, probePlasmd } from './plasmd-probe.ts'
import { portInUse } from './plasmd-process.ts'
import type { PlasmdView, ServiceOwner } from './service-owner.ts'
import { SUPERVISION_LIMITS } from './supervise.ts'

const SERVICE = 'plasmd'
const LOOK_STARTING_EVERY_MS = 200
const LOOK_RUNNING_EVERY_MS = 1400
const PROBE_TIMEOUT_MS = 1400
/** Between the start of a service and its supervisor's pid file some milliseconds pass. */
const SUPERVISOR_MISSED_AFTER_MS = 2000
/** The pause of init/openrc/plasmd, and as much again. */
const RESPAWN_WITHIN_MS = 5000

export interface OpenrcPlasmd {
  /** Arguments of `serve`. */
  readonly args: readonly string[]
  readonly port: number
  /** Where init/openrc/plasmd reads them. */
  readonly argumentsFile: string
  /** Where supervise-daemon appends what plasmd prints. */
  readonly logFile: string
}

const run = promisify(execFile)
/** The agent's own RC_SVCNAME is not for other services. */
const rcService = (verb: 'start' | 'stop' | 'restart') =>
  run('rc-service', [SERVICE, verb], { env: { PATH: process.env.PATH, HOME: '/', LANG: 'C' } })

/**
 * plasmd as a service of OpenRC, whose supervise-daemon starts it again and after too many ends gives up. The agent asks for the
 * first start, looks whether plasmd answers, and kills one that hangs. How plasmd ended OpenRC tells the system log alone.
 */
export function openrcPlasmd({ args, port, argumentsFile, logFile }: OpenrcPlasmd): ServiceOwner {
  const url = `http://127.0.0.1:${port}`
  const listeners = new Set<() => void>()
  let service = NOT_STARTED_BY_OPENRC
  let probe: Probe | undefined
  let begun = false
  /** While rc-service is at work: at boot it may wait for others. */
  let asking = false
  let problem: string | null = null
  let restarts = 0
  let lastExit: string | null = null
  let lastChild: number | null = null
  let hung = false
  let answered = false
  let aliveAt = 0
  let written: number | null = null
  let supervisorSeenAt = 0
  let childSeenAt = 0
  let oomKillsSeen = oomKills()

  const state = (): PlasmdView['state'] => {
    if (!begun) return 'stopped'
    if (problem !== null) return 'failed'
    if (hung) return 'hung'
    const phase = openrcPhase(service, probe !== undefined)
    // One that was up and is slow to answer is not starting.
    if (phase === 'starting' && answered) return 'running'
    return asking && phase !== 'running' ? 'starting' : phase
  }

  const ask = async (verb: 'start' | 'restart') => {
    asking = true
    problem = await rcService(verb).then(
      () => null,
      (thrown: Error) => `OpenRC does not start it: ${thrown.message.trim().split('\n').at(-1)}`,
    )
    asking = false
  }

  const childEnded = () => {
    const outOfMemory = !hung && oomKills() > oomKillsSeen
    if (hung || outOfMemory) lastExit = `killed by SIGKILL${outOfMemory ? ' (out of memory)' : ''}`
    else lastExit = 'the system log says how'
  }

  const look = async () => {
    const before = service.child
    service = readService(SERVICE)
    const { child, marked, supervisor } = service
    if (child !== before) {
      if (before !== null) childEnded()
      if (child !== null && lastChild !== null) restarts += 1
      if (child !== null) lastChild = child
      aliveAt = performance.now()
      hung = false
      answered = false
      written = null
      probe = undefined
    }
    if (supervisor !== null || marked !== 'started') supervisorSeenAt = performance.now()
    else if (performance.now() - supervisorSeenAt >= SUPERVISOR_MISSED_AFTER_MS) return supervisorLost()
    if (child !== null || marked !== 'started') childSeenAt = performance.now()
    if (child !== null) return lookAt(child)
    if (supervisor !== null && performance.now() - childSeenAt >= RESPAWN_WITHIN_MS) {
      // supervise-daemon waits at its control fifo, and misses an end that comes just before it does.
      childSeenAt = performance.now()
      kill(supervisor, 'SIGCHLD')
    }
    if (marked === 'started' && (await portTaken(port)) && readService(SERVICE).child === null) {
      lastExit = portInUse(port)
    }
  }

  const lookAt = async (child: number) => {
    oomKillsSeen = oomKills()
    const found = await probePlasmd(url, child, { timeout: PROBE_TIMEOUT_MS, counters: answered })
    const moved = written !== null && found.written !== null && found.written > written
    if (found.answered || moved) aliveAt = performance.now()
    written = found.written
    probe = found.answered ? found : undefined
    answered ||= found.answered
    const patience = answered ? SUPERVISION_LIMITS.hungAfter : SUPERVISION_LIMITS.startWithin
    if (!hung && performance.now() - aliveAt >= patience) {
      hung = true
      kill(child)
    }
    capLog(logFile)
  }

  /** Nobody restarts a plasmd whose supervise-daemon was killed, and OpenRC's `restart` would leave it where it is. */
  const supervisorLost = async () => {
    if (service.child !== null) kill(service.child)
    await ask('restart')
    supervisorSeenAt = performance.now()
  }

  const lookWhileBegun = async () => {
    while (begun) {
      const [stateBefore, childBefore] = [state(), service.child]
      await look().catch((thrown: Error) => {
        problem = thrown.message
      })
      if (state() !== stateBefore || service.child !== childBefore) for (const listener of listeners) listener()
      const pause = state() === 'running' ? LOOK_RUNNING_EVERY_MS : LOOK_STARTING_EVERY_MS
      await sleep(pause, undefined, { ref: false })
    }
  }

  return {
    managedBy: 'openrc',
    start() {
      if (begun) return
      begun = true
      // One that an earlier agent had started goes on, unless it serves something else than this one was told.
      const changed = writeArguments(argumentsFile, args)
      void ask(changed && readService(SERVICE).marked === 'started' ? 'restart' : 'start')
      void lookWhileBegun()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async stop() {
      begun = false
      await rcService('stop').catch(() => {})
      service = NOT_STARTED_BY_OPENRC
      probe = undefined
      for (const listener of listeners) listener()
    },
    view: () => ({
      state: state(),
      pid: service.child,
      startedAt: service.startedAt,
      restarts,
      lastExit: problem ?? lastExit,
      bytesServed: probe?.bytesServed ?? null,
      requests: probe?.requests ?? null,
    }),
  }
}

/** As words of a shell, which is what OpenRC's scripts are. @returns whether they are others than before */
function writeArguments(file: string, args: readonly string[]): boolean {
  const text = `${args.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')}\n`
  let before: string | undefined
  try {
    before = readFileSync(file, 'utf8')
  } catch {
    before = undefined
  }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return before !== text
}

function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone.
  }
}
