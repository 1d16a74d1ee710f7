import { readFileSync } from 'node:fs'
import type { PlasmdView } from './service-owner.ts'

/** The properties of a unit that are asked for (org.freedesktop.systemd1(5)). */
export const SHOWN = 'ActiveState,SubState,MainPID,NRestarts,Result,ExecMainStartTimestamp'

export interface UnitState {
  /** `active`, `activating`, `failed`, … */
  readonly active: string
  /** `auto-restart` while it waits for the next start. */
  readonly sub: string
  readonly pid: number | null
  /** By itself, since somebody last asked for its start. */
  readonly restarts: number
  /** `success`, `exit-code`, `signal`, `oom-kill`, `start-limit-hit`, … */
  readonly result: string
  /** RFC 3339. */
  readonly startedAt: string | null
}

/** @param text what `systemctl show --timestamp=unix` printed */
export function readShown(text: string): UnitState {
  const fields = new Map(text.split('\n').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]))
  const pid = Number(fields.get('MainPID'))
  const started = Number(fields.get('ExecMainStartTimestamp')?.replace(/^@/, ''))
  return {
    active: fields.get('ActiveState') ?? 'unknown',
    sub: fields.get('SubState') ?? 'unknown',
    pid: pid > 0 ? pid : null,
    restarts: Number(fields.get('NRestarts')) || 0,
    result: fields.get('Result') ?? 'unknown',
    startedAt: started > 0 ? new Date(started * 1000).toISOString() : null,
  }
}

/** systemd's words in ours; `failed` is where it gave up. */
export function unitPhase(unit: UnitState | undefined, answers: boolean): PlasmdView['state'] {
  switch (unit?.active) {
    case 'active':
    case 'reloading':
      return answers ? 'running' : 'starting'
    case 'activating':
      return unit.sub.startsWith('auto-restart') ? 'backoff' : 'starting'
    case 'failed':
      return 'failed'
    default:
      return 'stopped'
  }
}

const BY_RESULT: Readonly<Record<string, string>> = {
  'oom-kill': ' (out of memory)',
  timeout: ' (it did not start or stop in time)',
  watchdog: ' (it gave no sign of life)',
  'start-limit-hit': ' (too many restarts)',
}

/**
 * How it last ended, in the words of the other driver.
 * @param file where ExecStopPost leaves `$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS` (systemd.exec(5))
 */
export function lastEnd(file: string): string | null {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return null
  }
  const [result = '', code = '', status = ''] = text.trim().split(' ')
  if (code === '') return null
  return `${code === 'exited' ? 'exit code' : 'killed by'} ${code === 'exited' ? status : `SIG${status}`}${BY_RESULT[result] ?? ''}`
}
