import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { probePlasmd } from './plasmd-probe.ts'
import type { ServiceOwner } from './service-owner.ts'
import { SUPERVISION_LIMITS } from './supervise.ts'
import { lastEnd, readShown, SHOWN, type UnitState, unitPhase } from './systemd-unit.ts'
import { type PlasmdManager, watchedPlasmd } from './watched-plasmd.ts'

const UNIT = 'plasmd.service'
/** While it does not answer, or is not up. */
const LOOK_SOON_MS = 300
const LOOK_RUNNING_EVERY_MS = 1500
const PROBE_TIMEOUT_MS = 1500
/** Asking systemd costs a process; while there is one that is up, every so many looks is enough. */
const ASK_RUNNING_EVERY = 4

export interface SystemdPlasmd {
  /** Arguments of `serve`. */
  readonly args: readonly string[]
  readonly port: number
  /** Where the unit reads its options. */
  readonly optionsFile: string
  /** Where the unit's ExecStopPost says how it ended. */
  readonly endedFile: string
}

const run = promisify(execFile)
const systemctl = (...words: readonly string[]) =>
  run('systemctl', [...words], { env: { ...process.env, LC_ALL: 'C' } })

/** plasmd as a unit of systemd, which starts it again by itself. */
export const systemdPlasmd = (plasmd: SystemdPlasmd): ServiceOwner => watchedPlasmd(systemdManager(plasmd))

function systemdManager({ args, port, optionsFile, endedFile }: SystemdPlasmd): PlasmdManager {
  const url = `http://127.0.0.1:${port}`
  let unit: UnitState | undefined
  let ended: string | null = null
  let problem: string | null = null
  let looks = 0

  return {
    managedBy: 'systemd',
    begin() {
      looks = 0
      mkdirSync(dirname(optionsFile), { recursive: true })
      writeFileSync(optionsFile, `PLASMD_OPTIONS=${args.join(' ')}\n`)
      // One that an earlier agent had started goes on.
      systemctl('start', '--no-block', UNIT).catch((thrown: Error) => {
        problem = `systemd does not start it: ${thrown.message.split('\n')[0]}`
      })
    },
    async end() {
      await systemctl('stop', UNIT).catch(() => {})
      unit = undefined
    },
    async read() {
      const due = looks++ % ASK_RUNNING_EVERY === 0
      if (!due && unit?.active === 'active' && existsSync(`/proc/${unit.pid}`)) return
      const { stdout } = await systemctl('show', UNIT, `--property=${SHOWN}`, '--timestamp=unix')
      unit = readShown(stdout)
      ended = lastEnd(endedFile)
    },
    pid: () => unit?.pid ?? null,
    expected() {
      const active = unit?.active === 'active'
      // Until it says that it is up, systemd's own TimeoutStartSec counts.
      return { counters: active, silence: active ? SUPERVISION_LIMITS.hungAfter : Number.POSITIVE_INFINITY }
    },
    probe: (pid, counters) => probePlasmd(url, pid, { timeout: PROBE_TIMEOUT_MS, counters }),
    async kill() {
      await systemctl('kill', '--kill-whom=main', '--signal=KILL', UNIT)
    },
    looked(failed) {
      problem = failed ? `systemd cannot be asked: ${failed.message.split('\n')[0]}` : null
    },
    state: ({ answered, hung }) => (hung ? 'hung' : unitPhase(unit, answered)),
    pause: (state, answers) => (state === 'running' && answers ? LOOK_RUNNING_EVERY_MS : LOOK_SOON_MS),
    told: () => ({
      startedAt: unit?.pid ? unit.startedAt : null,
      restarts: unit?.restarts ?? 0,
      lastExit: problem ?? ended,
    }),
  }
}
