import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Probe, probePlasmd } from './plasmd-probe.ts'
import type { PlasmdView, ServiceOwner } from './service-owner.ts'
import { SUPERVISION_LIMITS } from './supervise.ts'
import { lastEnd, readShown, SHOWN, type UnitState, unitPhase } from './systemd-unit.ts'

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

/**
 * plasmd as a unit of systemd, which starts it again by itself. The agent asks for the first start, looks whether it answers, and
 * has one killed that hangs.
 */
export function systemdPlasmd({ args, port, optionsFile, endedFile }: SystemdPlasmd): ServiceOwner {
  const url = `http://127.0.0.1:${port}`
  const listeners = new Set<() => void>()
  let unit: UnitState | undefined
  let probe: Probe | undefined
  let ended: string | null = null
  /** This process has answered: from then on it is up until it ends or hangs, slow as it may be. */
  let up = false
  let hung = false
  let begun = false
  let aliveAt = 0
  let written: number | null = null
  let problem: string | null = null

  const view = (): PlasmdView => ({
    state: hung ? 'hung' : unitPhase(unit, up),
    pid: unit?.pid ?? null,
    startedAt: unit?.pid ? unit.startedAt : null,
    restarts: unit?.restarts ?? 0,
    lastExit: problem ?? ended,
    bytesServed: probe?.bytesServed ?? null,
    requests: probe?.requests ?? null,
  })

  const ask = async () => {
    const { stdout } = await systemctl('show', UNIT, `--property=${SHOWN}`, '--timestamp=unix')
    const next = readShown(stdout)
    if (next.pid !== unit?.pid) {
      aliveAt = performance.now()
      written = null
      hung = false
      up = false
    }
    unit = next
    ended = lastEnd(endedFile)
  }

  const look = async (asking: boolean) => {
    if (asking || unit?.active !== 'active' || !existsSync(`/proc/${unit.pid}`)) await ask()
    const pid = unit?.pid ?? null
    if (pid === null) {
      probe = undefined
      return
    }
    const counters = unit?.active === 'active'
    const found = await probePlasmd(url, pid, { timeout: PROBE_TIMEOUT_MS, counters })
    const moved = written !== null && found.written !== null && found.written > written
    if (found.answered || moved) aliveAt = performance.now()
    written = found.written
    probe = found.answered ? found : undefined
    up ||= found.answered
    // Until it says that it is up, systemd's own TimeoutStartSec counts.
    if (counters && !hung && performance.now() - aliveAt >= SUPERVISION_LIMITS.hungAfter) {
      hung = true
      await systemctl('kill', '--kill-whom=main', '--signal=KILL', UNIT)
    }
  }

  const lookWhileBegun = async () => {
    for (let count = 0; begun; count++) {
      const before = view()
      await look(count % ASK_RUNNING_EVERY === 0).then(
        () => {
          problem = null
        },
        (thrown: Error) => {
          problem = `systemd cannot be asked: ${thrown.message.split('\n')[0]}`
        },
      )
      const now = view()
      if (now.state !== before.state || now.pid !== before.pid) for (const listener of listeners) listener()
      await sleep(now.state === 'running' && probe ? LOOK_RUNNING_EVERY_MS : LOOK_SOON_MS, undefined, { ref: false })
    }
  }

  return {
    managedBy: 'systemd',
    start() {
      if (begun) return
      begun = true
      mkdirSync(dirname(optionsFile), { recursive: true })
      writeFileSync(optionsFile, `PLASMD_OPTIONS=${args.join(' ')}\n`)
      // One that an earlier agent had started goes on.
      systemctl('start', '--no-block', UNIT).catch((thrown: Error) => {
        problem = `systemd does not start it: ${thrown.message.split('\n')[0]}`
      })
      void lookWhileBegun()
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async stop() {
      begun = false
      await systemctl('stop', UNIT).catch(() => {})
      unit = undefined
      probe = undefined
      for (const listener of listeners) listener()
    },
    view,
  }
}
