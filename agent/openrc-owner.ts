import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { capLog } from './cap-log.ts'
import { oomKills } from './oom-kills.ts'
import { NOT_STARTED_BY_OPENRC, openrcPhase, readService } from './openrc-service.ts'
import { portTaken, probePlasmd } from './plasmd-probe.ts'
import { portInUse } from './plasmd-process.ts'
import type { ServiceOwner } from './service-owner.ts'
import { SUPERVISION_LIMITS } from './supervise.ts'
import { type PlasmdManager, watchedPlasmd } from './watched-plasmd.ts'

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
 * plasmd as a service of OpenRC, whose supervise-daemon starts it again and after too many ends gives up. How plasmd ended OpenRC
 * tells the system log alone.
 */
export const openrcPlasmd = (plasmd: OpenrcPlasmd): ServiceOwner => watchedPlasmd(openrcManager(plasmd))

function openrcManager({ args, port, argumentsFile, logFile }: OpenrcPlasmd): PlasmdManager {
  const url = `http://127.0.0.1:${port}`
  let service = NOT_STARTED_BY_OPENRC
  /** While rc-service is at work: at boot it may wait for others. */
  let asking = false
  let problem: string | null = null
  let restarts = 0
  let lastExit: string | null = null
  let hadChild = false
  let supervisorSeenAt = 0
  let childSeenAt = 0
  let oomKillsSeen = oomKills()

  const ask = async (verb: 'start' | 'restart') => {
    asking = true
    problem = await rcService(verb).then(
      () => null,
      (thrown: Error) => `OpenRC does not start it: ${thrown.message.trim().split('\n').at(-1)}`,
    )
    asking = false
  }

  const childEnded = (hung: boolean) => {
    const outOfMemory = !hung && oomKills() > oomKillsSeen
    if (hung || outOfMemory) lastExit = `killed by SIGKILL${outOfMemory ? ' (out of memory)' : ''}`
    else lastExit = 'the system log says how'
  }

  /** Nobody restarts a plasmd whose supervise-daemon was killed, and OpenRC's `restart` would leave it where it is. */
  const supervisorLost = async () => {
    if (service.child !== null) kill(service.child)
    await ask('restart')
    supervisorSeenAt = performance.now()
  }

  return {
    managedBy: 'openrc',
    begin() {
      // One that an earlier agent had started goes on, unless it serves something else than this one was told.
      const changed = writeArguments(argumentsFile, args)
      void ask(changed && readService(SERVICE).marked === 'started' ? 'restart' : 'start')
    },
    async end() {
      await rcService('stop').catch(() => {})
      service = NOT_STARTED_BY_OPENRC
    },
    async read() {
      service = readService(SERVICE)
    },
    pid: () => service.child,
    replaced(before, hung) {
      if (before !== null) childEnded(hung)
      if (service.child === null) return
      if (hadChild) restarts += 1
      hadChild = true
    },
    async tend() {
      const { child, marked, supervisor } = service
      if (supervisor !== null || marked !== 'started') supervisorSeenAt = performance.now()
      else if (performance.now() - supervisorSeenAt >= SUPERVISOR_MISSED_AFTER_MS) {
        await supervisorLost()
        return false
      }
      if (child !== null || marked !== 'started') childSeenAt = performance.now()
      if (child !== null) {
        oomKillsSeen = oomKills()
        capLog(logFile)
        return true
      }
      if (supervisor !== null && performance.now() - childSeenAt >= RESPAWN_WITHIN_MS) {
        // supervise-daemon waits at its control fifo, and misses an end that comes just before it does.
        childSeenAt = performance.now()
        kill(supervisor, 'SIGCHLD')
      }
      if (marked === 'started' && (await portTaken(port)) && readService(SERVICE).child === null) {
        lastExit = portInUse(port)
      }
      return false
    },
    expected: (answered) => ({
      counters: answered,
      silence: answered ? SUPERVISION_LIMITS.hungAfter : SUPERVISION_LIMITS.startWithin,
    }),
    probe: (pid, counters) => probePlasmd(url, pid, { timeout: PROBE_TIMEOUT_MS, counters }),
    kill,
    looked(failed) {
      if (failed) problem = failed.message
    },
    state({ answered, answers, hung, begun }) {
      if (!begun) return 'stopped'
      if (problem !== null) return 'failed'
      if (hung) return 'hung'
      const phase = openrcPhase(service, answers)
      // One that was up and is slow to answer is not starting.
      if (phase === 'starting' && answered) return 'running'
      return asking && phase !== 'running' ? 'starting' : phase
    },
    pause: (state) => (state === 'running' ? LOOK_RUNNING_EVERY_MS : LOOK_STARTING_EVERY_MS),
    told: () => ({ startedAt: service.startedAt, restarts, lastExit: problem ?? lastExit }),
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
