import { existsSync } from 'node:fs'
import { openrcRuns } from './openrc-service.ts'
import type { ServiceManager } from './service-owner.ts'

/** Exists where systemd is PID 1 (sd_booted(3)). */
const SYSTEMD_RUNS = '/run/systemd/system'
const UNIT_FILES = ['/etc/systemd/system/plasmd.service', '/usr/lib/systemd/system/plasmd.service']

/** Whether plasmd is a unit here; then the journal has its log, too. */
export function systemdHasPlasmd(): boolean {
  return existsSync(SYSTEMD_RUNS) && UNIT_FILES.some((file) => existsSync(file))
}

/**
 * Who restarts plasmd on this machine (DESIGN decision 10): systemd, where it is PID 1, has started this agent and knows plasmd;
 * OpenRC, where the same is true of it (openrc-service.ts); else the agent.
 */
export function serviceManager(): ServiceManager {
  if (process.env.INVOCATION_ID !== undefined && systemdHasPlasmd()) return 'systemd'
  return openrcRuns() ? 'openrc' : 'agent'
}
