import { readFileSync } from 'node:fs'

/**
 * How many processes the kernel has killed for want of memory since it started (kernel: mm/vmstat.c, `oom_kill`); 0 where it
 * does not count them.
 */
export function oomKills(file = '/proc/vmstat'): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
