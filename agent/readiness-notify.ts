import { execFile } from 'node:child_process'
import { tellSystemd } from '../service/systemd-notify.ts'
import type { EventSink } from './steps.ts'

const READY_TARGET = 'plasm-ready.target'
/** Three within what the unit allows (sd_watchdog_enabled(3) wants at least two). */
const SIGNS_OF_LIFE = 3

/**
 * Tells systemd when this machine is ready and why it is not, and holds plasm-ready.target to it: a service cannot take its READY=1
 * back. Does nothing where systemd did not start this.
 */
export function readinessNotifier(): EventSink {
  if (!process.env.NOTIFY_SOCKET) return () => {}
  signsOfLife()
  return (event) => {
    if (event.type === 'ready') {
      tellSystemd('--ready', '--status=ready')
      askForTarget('start')
    }
    if (event.type === 'not-ready') {
      tellSystemd(`--status=not ready: ${event.reason}`)
      askForTarget('stop')
    }
  }
}

function askForTarget(what: 'start' | 'stop'): void {
  execFile('systemctl', ['--no-block', '--quiet', what, READY_TARGET], () => {})
}

/** As long as this process goes round. WATCHDOG_USEC: microseconds. */
function signsOfLife(): void {
  const every = Number(process.env.WATCHDOG_USEC) / 1000 / SIGNS_OF_LIFE
  if (every > 0) setInterval(() => tellSystemd('WATCHDOG=1'), every).unref()
}
